import { decodeWhole, type Decoded, type TlsReader } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { readEnum, readText, readUri, writeEnum, writeText } from './common.js'

const TYPES = [undefined, 'handle', 'nick', 'email', 'phone', 'partial-name', 'whole-profile', 'oidc-std-claim', 'vcard-field'] as const
const MAX_ELEMENTS = 16
const MAX_FOUND = 100

export interface QueryElement {
  readonly type: Exclude<(typeof TYPES)[number], undefined>
  /** Which claim or property, for the last two types. */
  readonly field: string | undefined
  readonly value: string
}

/** All elements have to match. */
export interface IdentifierRequest {
  readonly elements: readonly QueryElement[]
}

/** `IdentifierRequest`, without extensions. */
export function encodeIdentifierRequest({ elements }: IdentifierRequest): Uint8Array {
  return new TlsWriter()
    .vector(elements, (item, { type, field, value }) => {
      writeEnum(item, TYPES, type)
      if (hasField(type)) writeText(item, field ?? '')
      writeText(item, value)
    })
    .opaque(new Uint8Array())
    .written()
}

/** `IdentifierRequest`. Malformed for more than 16 elements; extensions are passed over. */
export function decodeIdentifierRequest(bytes: Uint8Array): Decoded<IdentifierRequest> {
  return decodeWhole(bytes, (reader) => {
    const elements = reader.vector(MAX_ELEMENTS, readElement)
    reader.opaque() // extensions, of which none is known
    return { elements }
  })
}

function readElement(reader: TlsReader): QueryElement {
  const type = readEnum(reader, TYPES)
  const field = hasField(type) ? readText(reader) : undefined
  return { type, field, value: readText(reader) }
}

function hasField(type: QueryElement['type']): boolean {
  return type === 'oidc-std-claim' || type === 'vcard-field'
}

const CODES = ['success', 'not-found', 'ambiguous', 'forbidden', 'unsupported-field'] as const

export interface IdentifierResponse {
  readonly code: (typeof CODES)[number]
  readonly uris: readonly string[]
}

/** `IdentifierResponse`, without profiles. */
export function encodeIdentifierResponse({ code, uris }: IdentifierResponse): Uint8Array {
  return writeEnum(new TlsWriter(), CODES, code)
    .vector(uris, writeText)
    .opaque(new Uint8Array()) // no profiles
    .opaque(new Uint8Array())
    .written()
}

/** `IdentifierResponse`. Malformed for more than 100 URIs; profiles are passed over. */
export function decodeIdentifierResponse(bytes: Uint8Array): Decoded<IdentifierResponse> {
  return decodeWhole(bytes, (reader) => {
    const code = readEnum(reader, CODES)
    const uris = reader.vector(MAX_FOUND, readUri)
    reader.vector(MAX_FOUND, skipProfile)
    reader.opaque()
    return { code, uris }
  })
}

function skipProfile(reader: TlsReader): void {
  readUri(reader)
  reader.countVector((item) => {
    item.uint8()
    item.opaque()
    item.opaque()
  })
}
