import { isGroupId, MAX_GROUP_ID_BYTES, parseRoomUri } from '../identifiers.js'
import { Malformed, type TlsReader } from '../tls/reader.js'
import type { TlsWriter } from '../tls/writer.js'

/** Section numbers in this folder are those of draft-ietf-mimi-protocol-06; docs/federation-profile.md says how it is read here. */
export const MIMI_MEDIA_TYPE = 'application/mimi'

/** `Protocol`: the only one there is. */
const MLS10 = 1
const MAX_URI_BYTES = 400
const MAX_TEXT_BYTES = 1_024
const CONTROL = /\p{Cc}/u

// A byte order mark is kept, so that different bytes never become the same text.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What a reader throws for a protocol other than MLS 1.0: told apart, so that the peer gets its polite refusal. */
export class UnknownProtocol extends Malformed {
  constructor() {
    super('the protocol is not MLS 1.0')
  }
}

/** `Protocol` (one byte). @throws UnknownProtocol for any but mls10 */
export function readProtocol(reader: TlsReader): void {
  if (reader.uint8() !== MLS10) throw new UnknownProtocol()
}

/** `Protocol` mls10, the one there is. */
export function writeProtocol(writer: TlsWriter): TlsWriter {
  return writer.uint8(MLS10)
}

/** `IdentifierUri`: what it identifies, its reader knows. */
export function readUri(reader: TlsReader): string {
  const uri = readText(reader, MAX_URI_BYTES)
  if (CONTROL.test(uri)) throw new Malformed('a URI holds a control character')
  return uri
}

/** The `IdentifierUri` of a room. */
export function readRoomUri(reader: TlsReader): string {
  const uri = readUri(reader)
  if (!parseRoomUri(uri)) throw new Malformed('a room is not mimi://<domain>/r/<room>')
  return uri
}

/** The id of a group, as long as in the client API: an index of the database has its limits, and far from where an id comes in. */
export function readGroup(reader: TlsReader): Uint8Array {
  const groupId = reader.opaque()
  if (!isGroupId(groupId)) throw new Malformed(`a group id is not of 1 to ${MAX_GROUP_ID_BYTES} bytes`)
  return groupId
}

/** `string`: UTF-8 with the variable-size length of RFC 9420 §2.1.2. */
export function writeText(writer: TlsWriter, text: string): TlsWriter {
  return writer.opaque(Buffer.from(text))
}

/** `string`, which TLS has not: `opaque<V>` in UTF-8. */
export function readText(reader: TlsReader, maxBytes = MAX_TEXT_BYTES): string {
  const bytes = reader.opaque()
  if (bytes.length > maxBytes) throw new Malformed(`a text is longer than ${maxBytes} bytes`)
  // Such text can be valid, but PostgreSQL holds none with it.
  if (bytes.includes(0)) throw new Malformed('a text holds a NUL')
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Malformed('a text is not UTF-8')
  }
}

/** A `uint8` enumeration by the names of its values, in order; undefined names are reserved. */
export function readEnum<Name extends string>(reader: TlsReader, names: readonly (Name | undefined)[]): Name {
  const name = names[reader.uint8()]
  if (name === undefined) throw new Malformed('a value is not one of its enumeration')
  return name
}

/** One byte, the index of `name` in `names`. The name has to be among them. */
export function writeEnum<Name extends string>(writer: TlsWriter, names: readonly (Name | undefined)[], name: Name): TlsWriter {
  return writer.uint8(names.indexOf(name))
}

/** The encoding of what `read` reads, which is checked on the way. */
export function bytesOf(reader: TlsReader, read: (reader: TlsReader) => unknown): Uint8Array {
  const start = reader.position
  read(reader)
  return reader.since(start)
}

const MLS_VERSION_AND_WIRE_FORMAT = 4

/** The body of an MLSMessage: MIMI sends Welcome, GroupInfo and KeyPackage without the frame that this server keeps them in. */
export function unframed(message: Uint8Array): Uint8Array {
  return message.subarray(MLS_VERSION_AND_WIRE_FORMAT)
}

const WIRE_FORMATS = { welcome: 3, 'group-info': 4, 'key-package': 5 } as const

/** The MLSMessage of such a body (RFC 9420 §6). */
export function framed(wireFormat: keyof typeof WIRE_FORMATS, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(MLS_VERSION_AND_WIRE_FORMAT + body.length)
  message.set([0, 1, 0, WIRE_FORMATS[wireFormat]])
  message.set(body, MLS_VERSION_AND_WIRE_FORMAT)
  return message
}

const SERVER_FRANK_BYTES = 32

/** `Frank`: read so that what follows it is found; this server neither makes nor checks one. */
export function readFrank(reader: TlsReader): void {
  reader.fixed(SERVER_FRANK_BYTES)
  reader.uint16() // cipher suite of the signature
  reader.opaque()
}
