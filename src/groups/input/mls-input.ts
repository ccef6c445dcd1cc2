import { decodeIncoming } from '../../platform/http/incoming-message.js'
import { TooLarge, Undecodable } from '../../platform/http/problem.js'
import { sameBytes } from '../../protocol/bytes.js'
import type { MlsMessage } from '../../protocol/mls/message.js'

/** Epochs are uint64 on the wire and int8 in the log; a client that counts to 2^63 does not count Commits. */
const MAX_EPOCH = 2n ** 63n - 2n

type WireFormat = MlsMessage['wireFormat']
type Of<F extends WireFormat> = Extract<MlsMessage, { wireFormat: F }>

/**
 * One MLSMessage of an expected wire format, read by two readers. @throws 413 before it is looked at, 422 if it is anything else or the
 * readers disagree
 */
export function decodeAs<F extends WireFormat>(bytes: Uint8Array, maxBytes: number, what: string, ...formats: readonly F[]): Of<F> {
  if (bytes.length > maxBytes) throw new TooLarge(`The ${what} is too large.`, maxBytes)
  const decoded = decodeIncoming(bytes)
  if (decoded.kind === 'malformed') throw new Undecodable(`The ${what} is not an MLSMessage: ${decoded.reason}.`)
  const message = decoded.value
  if (!isOneOf(message, formats)) throw new Undecodable(`The ${what} is a ${message.wireFormat}; expected ${formats.join(' or ')}.`)
  return message
}

/** The bytes may be a Buffer's view on a request; the log keeps exactly them. */
export function refuseOtherGroup(groupId: Uint8Array, message: { groupId: Uint8Array; epoch: bigint }, what: string): void {
  if (message.epoch > MAX_EPOCH) throw new Undecodable(`The ${what} is of an epoch that no group reaches.`)
  if (!sameBytes(groupId, message.groupId)) throw new Undecodable(`The ${what} is of another group.`)
}

function isOneOf<F extends WireFormat>(message: MlsMessage, formats: readonly F[]): message is Of<F> {
  return (formats as readonly WireFormat[]).includes(message.wireFormat)
}
