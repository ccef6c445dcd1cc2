import { decodeMessage } from '../mls/message.js'

/** What an MLSMessage is or carries; undefined for what is none. */
export function framingOf(
  message: Uint8Array,
): 'commit' | 'proposal' | 'application' | 'welcome' | 'group-info' | 'key-package' | undefined {
  const decoded = decodeMessage(message)
  if (decoded.kind === 'malformed') return undefined
  const { wireFormat, body } = decoded.value
  if (wireFormat === 'public-message') return body.content.kind
  return wireFormat === 'private-message' ? body.contentType : wireFormat
}
