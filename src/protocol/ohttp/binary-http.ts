import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'

/**
 * Binary HTTP (RFC 9292), known-length form only. Written here because the library there is goes by way of fetch's Request, which
 * normalizes paths: a signature over the path would not survive that. Lengths are in their shortest form.
 */
export interface BinaryRequest {
  readonly method: string
  readonly path: string
  /** By lower-case name; a name that comes twice is malformed. */
  readonly headers: Readonly<Record<string, string>>
  readonly content: Uint8Array
}

export interface BinaryResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly content: Uint8Array
}

const REQUEST = 0
const RESPONSE = 1
const MAX_FIELDS = 32
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,64}$/
const VALUE = /^[\t\x20-\x7e]{0,8192}$/
const METHOD = /^[A-Z]{1,16}$/
const PATH = /^\/[\x21-\x7e]{0,2047}$/

export function decodeBinaryRequest(bytes: Uint8Array): Decoded<BinaryRequest> {
  return decodeWhole(bytes, (reader) => {
    if (reader.uint8() !== REQUEST) throw new Malformed('this is no request of known length')
    const method = text(reader, METHOD)
    // Scheme and authority: whoever opened the envelope is meant.
    reader.opaque()
    reader.opaque()
    return { method, path: text(reader, PATH), headers: fields(reader), content: rest(reader) }
  })
}

/** @param block padded with zeros to a multiple of this */
export function encodeBinaryResponse({ status, headers, content }: BinaryResponse, block = 1): Uint8Array {
  const lines = new TlsWriter()
  for (const [name, value] of Object.entries(headers)) lines.opaque(Buffer.from(name)).opaque(Buffer.from(value))
  // A status is a varint of two bytes (RFC 9000 §16).
  const writer = new TlsWriter().uint8(RESPONSE).uint16(0x4000 | status)
  const bytes = writer.opaque(lines.written()).opaque(content).opaque(new Uint8Array()).written()
  const padded = new Uint8Array(Math.ceil(bytes.length / block) * block)
  padded.set(bytes)
  return padded
}

function fields(reader: TlsReader): Record<string, string> {
  const lines = reader.vector(MAX_FIELDS, (line) => [text(line, NAME), text(line, VALUE)] as const)
  const headers = Object.fromEntries(lines)
  if (Object.keys(headers).length !== lines.length) throw new Malformed('a field comes twice')
  return headers
}

/** Content, no trailers, and zeros to any length, so that requests of one kind can be of one size (RFC 9292 §3.8). */
function rest(reader: TlsReader): Uint8Array {
  const content = reader.opaque()
  if (reader.remaining === 0) return content
  if (reader.opaque().length > 0) throw new Malformed('there are trailers')
  if (reader.fixed(reader.remaining).some((byte) => byte !== 0)) throw new Malformed('the padding is not zero')
  return content
}

function text(reader: TlsReader, pattern: RegExp): string {
  const value = Buffer.from(reader.opaque()).toString('latin1')
  if (!pattern.test(value)) throw new Malformed('a text has characters that it may not have')
  return value
}
