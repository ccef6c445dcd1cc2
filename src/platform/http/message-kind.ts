import { decodeIncoming } from './incoming-message.js'
import { Undecodable } from './problem.js'

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
