import { Malformed, type TlsReader } from '../../tls/reader.js'
import { readCommit, type Commit } from './commit.js'
import { readProposal, type Proposal } from './proposal.js'

/** RFC 9420 §6. */
export type Sender =
  | { readonly kind: 'member'; readonly leafIndex: number }
  | { readonly kind: 'external'; readonly senderIndex: number }
  | { readonly kind: 'new-member-proposal' }
  | { readonly kind: 'new-member-commit' }

/** A handshake in the open; application data may only travel as PrivateMessage (RFC 9420 §6), so there is no case for it. */
export type HandshakeContent =
  { readonly kind: 'proposal'; readonly proposal: Proposal } | ({ readonly kind: 'commit'; readonly confirmationTag: Uint8Array } & Commit)

/** RFC 9420 §6.2, with the slices that signatures and hashes cover. */
export interface PublicMessage {
  /** The whole MLSMessage. */
  readonly bytes: Uint8Array
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly sender: Sender
  readonly authenticatedData: Uint8Array
  readonly content: HandshakeContent
  readonly signature: Uint8Array
  /** Present exactly when the sender is a member. */
  readonly membershipTag: Uint8Array | undefined
  /** FramedContentTBS without the GroupContext, which only some senders sign (RFC 9420 §6.1). */
  readonly tbs: Uint8Array
  /** ConfirmedTranscriptHashInput (RFC 9420 §8.2), if this is a Commit. */
  readonly transcriptInput: Uint8Array
  /** AuthenticatedContent, which a ProposalRef hashes (RFC 9420 §5.2). */
  readonly authenticatedContent: Uint8Array
}

/**
 * PublicMessage of RFC 9420 §6.2, after the header of its MLSMessage. @throws Malformed for application data, too
 * @param start the position of the MLSMessage, whose version and wire format are signed too
 */
export function readPublicMessage(reader: TlsReader, start: number): PublicMessage {
  const wireFormatAt = start + 2
  const header = { groupId: reader.opaque(), epoch: reader.uint64(), sender: readSender(reader), authenticatedData: reader.opaque() }
  const content = readContent(reader)
  const tbs = reader.since(start)
  const signature = reader.opaque()
  const transcriptInput = reader.since(wireFormatAt)
  const tagged: HandshakeContent = content.kind === 'commit' ? { ...content, confirmationTag: reader.opaque() } : content
  const authenticatedContent = reader.since(wireFormatAt)
  const membershipTag = header.sender.kind === 'member' ? reader.opaque() : undefined
  const bytes = reader.since(start)
  return { ...header, content: tagged, signature, membershipTag, bytes, tbs, transcriptInput, authenticatedContent }
}

/** Sender of RFC 9420 §6. @throws Malformed */
export function readSender(reader: TlsReader): Sender {
  const type = reader.uint8()
  switch (type) {
    case 1:
      return { kind: 'member', leafIndex: reader.uint32() }
    case 2:
      return { kind: 'external', senderIndex: reader.uint32() }
    case 3:
      return { kind: 'new-member-proposal' }
    case 4:
      return { kind: 'new-member-commit' }
    default:
      throw new Malformed(`sender type ${type} is unknown`)
  }
}

function readContent(reader: TlsReader): { kind: 'proposal'; proposal: Proposal } | ({ kind: 'commit' } & Commit) {
  const type = reader.uint8()
  switch (type) {
    case 1:
      throw new Malformed('application data must not be sent as a PublicMessage')
    case 2:
      return { kind: 'proposal', proposal: readProposal(reader) }
    case 3:
      return { kind: 'commit', ...readCommit(reader) }
    default:
      throw new Malformed(`content type ${type} is unknown`)
  }
}
