import { encode } from 'cborg'
import { fromJson, toBase64Url } from '../client/wire.js'
import type { Bytes, Exchange } from './exchanges.js'

const MESSAGE = 'message/mls'
const CBOR = 'application/cbor'

/** Operations whose JSON example is shown in another type too: where its size matters, or where a body is one MLSMessage. */
export const OTHER_TYPES: Readonly<Record<string, { readonly messageField?: string; readonly cbor?: 'request' | 'response' }>> = {
  postMessage: { messageField: 'message' },
  submitProposal: { messageField: 'proposal' },
  submitCommit: { cbor: 'request' },
  pollEvents: { cbor: 'response' },
  readLog: { cbor: 'response' },
}

/** The same bodies as in the JSON of the exchange. */
export function inOtherTypes(id: string, exchange: Exchange): Pick<Exchange, 'requestBytes' | 'responseBytes'> {
  const { messageField, cbor } = OTHER_TYPES[id] ?? {}
  if (messageField !== undefined) {
    const message = (exchange.request as Record<string, unknown>)[messageField]
    return { requestBytes: { [MESSAGE]: { base64url: String(message) } } }
  }
  if (cbor === 'request') return { requestBytes: { [CBOR]: cborOf(exchange.request) } }
  return cbor === 'response' ? { responseBytes: { [CBOR]: cborOf(exchange.response) } } : {}
}

function cborOf(json: unknown): Bytes {
  const value = fromJson(JSON.stringify(json))
  return { base64url: toBase64Url(encode(value)), diagnostic: diagnostic(value) }
}

/** RFC 8949 §8, as far as bodies of this API need it. */
function diagnostic(value: unknown): string {
  if (value instanceof Uint8Array) return `h'${Buffer.from(value).toString('hex')}'`
  if (Array.isArray(value)) return `[${value.map(diagnostic).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}: ${diagnostic(member)}`)
    .join(', ')}}`
}
