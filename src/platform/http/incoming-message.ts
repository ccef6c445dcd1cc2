import { compareFraming } from '../../protocol/mls/framing.js'
import { decodeMessage, type MlsMessage } from '../../protocol/mls/message.js'
import { decodeUnreadHandshake, type UnreadHandshake } from '../../protocol/mls/unread-handshake.js'
import type { KeyPackage } from '../../protocol/mls/structures/key-package.js'
import { framed } from '../../protocol/mimi/common.js'
import type { Decoded } from '../../protocol/tls/reader.js'
import { framingDisagreements } from '../observability/metrics.js'
import { Undecodable } from './problem.js'

/**
 * Decodes one MLSMessage that a client or a peer sent. Two readers look at it: the strict one, whose answer counts, and ts-mls, which has
 * to see the same framing (docs/adr/0004-decoders.md). Where they disagree the message is malformed, and the disagreement is counted.
 * Never throws. What this server has stored itself is read by `decodeMessage` alone.
 */
export function decodeIncoming(bytes: Uint8Array): Decoded<MlsMessage> {
  return readTwice(decodeMessage(bytes))
}

/** The same for what `decodeIncoming` cannot read since it has a proposal of an unknown type: what stands before its content. */
export function decodeIncomingHandshake(bytes: Uint8Array): Decoded<UnreadHandshake> {
  return readTwice(decodeUnreadHandshake(bytes))
}

function readTwice<Message extends MlsMessage | UnreadHandshake>(decoded: Decoded<Message>): Decoded<Message> {
  if (decoded.kind === 'malformed') return decoded
  const { wireFormat } = decoded.value
  const verdict = compareFraming(decoded.value)
  if (verdict.kind === 'agreed') return decoded
  framingDisagreements.inc({ wire_format: wireFormat, field: verdict.field })
  return { kind: 'malformed', reason: `two readers of its framing disagree (${verdict.field})` }
}

/** The same for a KeyPackage as MIMI sends it, without the frame of an MLSMessage. Its `bytes` are of a copy. */
export function decodeIncomingKeyPackage(bytes: Uint8Array): Decoded<KeyPackage> {
  const decoded = decodeIncoming(framed('key-package', bytes))
  if (decoded.kind === 'malformed') return decoded
  if (decoded.value.wireFormat !== 'key-package') return { kind: 'malformed', reason: 'it is no KeyPackage' }
  return { kind: 'decoded', value: decoded.value.body }
}

type Kind = 'commit' | 'proposal' | 'application' | 'welcome' | 'group-info' | 'key-package'

/**
 * What a local client sends to a hub is read here too, by both readers, before it is passed on.
 * @throws Undecodable for what is no MLSMessage, or one of another kind
 */
export function requireKind(bytes: Uint8Array, kind: Kind): void {
  const decoded = decodeIncoming(bytes)
  if (decoded.kind === 'malformed') throw new Undecodable(`The ${kind} is not an MLSMessage: ${decoded.reason}.`)
  const { wireFormat, body } = decoded.value
  const found = wireFormat === 'public-message' ? body.content.kind : wireFormat === 'private-message' ? body.contentType : wireFormat
  if (found !== kind) throw new Undecodable(`Expected a ${kind}, but the MLSMessage is a ${found}.`)
}
