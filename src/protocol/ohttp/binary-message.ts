import { decodeWhole, Malformed, TlsReader, type Decoded } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'

/**
 * Binary HTTP (RFC 9292), known-length form only. Written here because bhttp-js 0.2.1 normalizes paths, keeps the last of repeated
 * fields only, and takes content that is cut short, lengths below zero and fields that run out of their section.
 */
export interface BinaryRequestMessage extends MessageBody {
  readonly method: string
  readonly scheme: string
  /** Empty if it is in the field `host` or nowhere (RFC 9292 §3.3). */
  readonly authority: string
  readonly path: string
}

export interface BinaryResponseMessage extends MessageBody {
  /** 200 to 599. */
  readonly status: number
}

interface MessageBody {
  /** Fields in their order; a name may come more than once. */
  readonly fields: readonly Field[]
  readonly content: Uint8Array
}

/** Name in lower case, and value, where each character is a byte. */
export type Field = readonly [name: string, value: string]

const REQUEST = 0
const RESPONSE = 1
const MAX_FIELDS = 64
/** Bytes of an encoded header section, and of a trailer section. */
const MAX_FIELD_BYTES = 16_384
/** Informational responses before the final one; they are skipped. */
const MAX_INFORMATIONAL = 8

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/
const SCHEME = /^[a-z][a-z0-9+.-]{0,15}$/
/** An authority without user information (RFC 9113 §8.3.1). */
const AUTHORITY = /^[A-Za-z0-9._~!$&'()*+,;=:%[\]-]{0,255}$/
/** No fragment. */
const PATH = /^\/[!"$-~]{0,2047}$/
/** Pseudo-fields, with their colon, are none (RFC 9292 §3.6 allows some; none is known here). */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/
/** RFC 9113 §8.2.1, and no control characters. */
const VALUE = /^(?![\t ])[\t -~\x80-\xff]*(?<![\t ])$/

/** RFC 9292 §3.1. `content` is a view of `bytes`. Never throws. */
export function decodeRequestMessage(bytes: Uint8Array): Decoded<BinaryRequestMessage> {
  return decodeWhole(bytes, (reader) => {
    if (readVarint(reader) !== REQUEST) throw new Malformed('this is no request of known length')
    const method = readText(reader, METHOD)
    const scheme = readText(reader, SCHEME)
    const authority = readText(reader, AUTHORITY)
    const path = readText(reader, PATH)
    return { method, scheme, authority, path, ...readBody(reader) }
  })
}

/** RFC 9292 §3.1. Informational responses are skipped. `content` is a view of `bytes`. Never throws. */
export function decodeResponseMessage(bytes: Uint8Array): Decoded<BinaryResponseMessage> {
  return decodeWhole(bytes, (reader) => {
    if (readVarint(reader) !== RESPONSE) throw new Malformed('this is no response of known length')
    return { status: readFinalStatus(reader), ...readBody(reader) }
  })
}

/**
 * RFC 9292 §3.1. @param block zeros make the length a multiple of this (§3.8), so that all requests of a kind have one size
 * @throws RangeError for what could not be decoded
 */
export function encodeRequestMessage(request: BinaryRequestMessage, block = 1): Uint8Array {
  const writer = new TlsWriter().uint8(REQUEST)
  writeText(writer, METHOD, request.method)
  writeText(writer, SCHEME, request.scheme)
  writeText(writer, AUTHORITY, request.authority)
  writeText(writer, PATH, request.path)
  return padded(writeBody(writer, request), block)
}

/** Encodes a response like `encodeRequestMessage`. */
export function encodeResponseMessage(response: BinaryResponseMessage, block = 1): Uint8Array {
  if (!isFinal(response.status)) throw new RangeError('not a status of a response')
  // A varint of two bytes (RFC 9000 §16).
  return padded(writeBody(new TlsWriter().uint8(RESPONSE).uint16(0x4000 | response.status), response), block)
}

function readFinalStatus(reader: TlsReader): number {
  for (let skipped = 0; skipped <= MAX_INFORMATIONAL; skipped++) {
    const status = readVarint(reader)
    if (isFinal(status)) return status
    if (status < 100 || status > 199) throw new Malformed('this is no status')
    readFields(reader)
  }
  throw new Malformed(`there are more than ${MAX_INFORMATIONAL} informational responses`)
}

function isFinal(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599
}

/** Each part may be left out with all that follow it, which means that they are empty (RFC 9292 §3.8). */
function readBody(reader: TlsReader): MessageBody {
  const fields = reader.remaining > 0 ? readFields(reader) : []
  const content = reader.remaining > 0 ? readPrefixed(reader) : new Uint8Array()
  if (reader.remaining > 0) readFields(reader) // trailers, which nobody asks for
  if (reader.fixed(reader.remaining).some((byte) => byte !== 0)) throw new Malformed('the padding is not zero')
  return { fields, content }
}

function readFields(reader: TlsReader): Field[] {
  const section = readPrefixed(reader)
  if (section.length > MAX_FIELD_BYTES) throw new Malformed(`there are more than ${MAX_FIELD_BYTES} bytes of fields`)
  const lines = new TlsReader(section)
  const fields: Field[] = []
  while (lines.remaining > 0) {
    if (fields.length === MAX_FIELDS) throw new Malformed(`there are more than ${MAX_FIELDS} fields`)
    fields.push([readText(lines, NAME), readText(lines, VALUE)])
  }
  return fields
}

function readText(reader: TlsReader, pattern: RegExp): string {
  const value = Buffer.from(readPrefixed(reader)).toString('latin1')
  if (!pattern.test(value)) throw new Malformed('a text has characters that it may not have')
  return value
}

function readPrefixed(reader: TlsReader): Uint8Array {
  return reader.fixed(readVarint(reader))
}

/**
 * RFC 9000 §16: unlike the lengths of MLS, of up to eight bytes, and not always in the shortest form. Beyond 2^53 it is not exact,
 * but neither a length nor a status then.
 */
function readVarint(reader: TlsReader): number {
  const first = reader.uint8()
  const more = reader.fixed((1 << (first >> 6)) - 1)
  return more.reduce((value, byte) => value * 256 + byte, first & 0x3f)
}

/** An empty trailer section is written out, since not every decoder takes a message that is cut off there (RFC 9292 §3.8). */
function writeBody(writer: TlsWriter, { fields, content }: MessageBody): Uint8Array {
  const section = new TlsWriter()
  for (const [name, value] of fields) {
    writeText(section, NAME, name)
    writeText(section, VALUE, value)
  }
  const lines = section.written()
  if (fields.length > MAX_FIELDS || lines.length > MAX_FIELD_BYTES) throw new RangeError('too many fields')
  return writer.opaque(lines).opaque(content).uint8(0).written()
}

function writeText(writer: TlsWriter, pattern: RegExp, text: string): void {
  if (!pattern.test(text)) throw new RangeError(`not what binary HTTP can say: ${JSON.stringify(text)}`)
  writer.opaque(Buffer.from(text, 'latin1'))
}

function padded(bytes: Uint8Array, block: number): Uint8Array {
  if (!Number.isInteger(block) || block < 1) throw new RangeError('not a size to pad to')
  const whole = new Uint8Array(Math.ceil(bytes.length / block) * block)
  whole.set(bytes)
  return whole
}
