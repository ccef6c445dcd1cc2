import { createHash } from 'node:crypto'

/** Fields of the API that carry bytes: byte strings in CBOR, base64url in JSON. */
const BYTES = new Set([
  'group_id',
  'mls_group_id',
  'group_info',
  'ratchet_tree',
  'commit',
  'welcome',
  'welcomes',
  'proposal',
  'message',
  'hash',
  'chain',
  'head_chain',
  'nonce',
  'proof',
  'public_key',
  'refresh_token',
  'signature_key',
  'external_sender',
  'key_package',
  'key_packages',
  'key_material_request',
  'last_resort',
  'ref',
  'successor',
  'successor_of',
  'entries',
  'head',
])

export const toBase64Url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
export const fromBase64Url = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64url'))

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
export const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'))
export const fromUtf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
export const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest())

/** The JSON form of a body: every byte string as base64url. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) => {
    if (field instanceof Uint8Array) return toBase64Url(field)
    // A Buffer turns itself into {type, data} before the replacer sees it.
    return isBufferJson(field) ? Buffer.from(field.data).toString('base64url') : field
  })
}

/** Reads JSON back into the shape that the CBOR form has: the fields of `BYTES` become byte strings. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (key, field: unknown) => {
    if (!BYTES.has(key)) return field
    if (typeof field === 'string') return fromBase64Url(field)
    return isStrings(field) ? field.map(fromBase64Url) : field
  })
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isBufferJson(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
}

/**
 * The member of a submission that names the incarnation it was made in. The first one needs no name, and servers of the release before,
 * which a rolling upgrade leaves for a while, take no such member.
 */
export function named({ incarnation = 1 }: { incarnation?: number | undefined }): { incarnation?: number } {
  return incarnation > 1 ? { incarnation } : {}
}
