import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../tls/reader.js'
import { readCommit } from './structures/commit.js'
import { MLS10 } from './structures/group-info.js'
import { readProposal, UnknownProposal } from './structures/proposal.js'
import { readSender, type Sender } from './structures/public-message.js'

/** A handshake in the open with a proposal of a type that is not known here: what stands before its content. */
export interface UnreadHandshake {
  readonly wireFormat: 'unread-handshake'
  /** The whole MLSMessage. */
  readonly bytes: Uint8Array
  readonly kind: 'proposal' | 'commit'
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly sender: Sender
  readonly authenticatedData: Uint8Array
}

const PUBLIC_MESSAGE = 1
const KINDS = [undefined, undefined, 'proposal', 'commit'] as const

/**
 * Reads an MLSMessage up to the first proposal whose type is not known: such a proposal has no length, so nothing after it can be read
 * (RFC 9420 §12.1). Only its surroundings tell where the message ends. Malformed for any other message, also for one that can be read.
 */
export function decodeUnreadHandshake(bytes: Uint8Array): Decoded<UnreadHandshake> {
  return decodeWhole(bytes, (reader) => readUnreadHandshake(reader, bytes))
}

function readUnreadHandshake(reader: TlsReader, bytes: Uint8Array): UnreadHandshake {
  if (reader.uint16() !== MLS10 || reader.uint16() !== PUBLIC_MESSAGE) throw new Malformed('it is no PublicMessage of MLS 1.0')
  const header = { groupId: reader.opaque(), epoch: reader.uint64(), sender: readSender(reader), authenticatedData: reader.opaque() }
  const kind = KINDS[reader.uint8()]
  if (kind === undefined) throw new Malformed('it is no handshake')
  if (!isUnknown(() => (kind === 'proposal' ? readProposal(reader) : readCommit(reader))))
    throw new Malformed('its proposals are of known types')
  reader.fixed(reader.remaining)
  return { wireFormat: 'unread-handshake', bytes, kind, ...header }
}

function isUnknown(read: () => unknown): boolean {
  try {
    read()
    return false
  } catch (error) {
    if (error instanceof UnknownProposal) return true
    throw error
  }
}
