import type { Decoded } from '../../protocol/tls/reader.js'
import { MalformedBody, UnknownProtocolRefused } from './inbound.problems.js'

/** What a body says. @throws the refusal of one that is malformed, or of another protocol */
export function decodedOrRefused<T>(decoded: Decoded<T>): T {
  if (decoded.kind === 'decoded') return decoded.value
  if (decoded.reason === 'the protocol is not MLS 1.0') throw new UnknownProtocolRefused()
  throw new MalformedBody(decoded.reason)
}
