import { encode } from 'cborg'
import { toBase64url } from './bytes.js'

export type MediaType = 'application/json' | 'application/cbor'

/** A validated response as octets of the chosen representation. */
export function encodeBody(value: unknown, mediaType: MediaType): string | Uint8Array {
  return mediaType === 'application/cbor' ? encodeCbor(value) : encodeJson(value)
}

/** JSON: bytes as base64url, bigint as number, Date as Unix seconds; undefined members vanish. */
export function encodeJson(value: unknown): string {
  return JSON.stringify(toJson(value))
}

function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64url(value)
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return scalar(value)
  if (value instanceof Date) return unixSeconds(value)
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toJson(member)]))
}

/** CBOR (RFC 8949) in its deterministic form, with bytes as byte strings. Frames of the stream use it, too. */
export function encodeCbor(value: unknown): Uint8Array {
  return encode(toCbor(value))
}

function toCbor(value: unknown): unknown {
  if (value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map(toCbor)
  if (typeof value !== 'object' || value === null) return scalar(value)
  if (value instanceof Date) return unixSeconds(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([key, member]) => [key, toCbor(member)]))
}

function scalar(value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('A number past 2^53 - 1 cannot be sent')
  return Number(value)
}

function unixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}

/** JSON unless the client prefers CBOR (RFC 9110 §12.5.1). An Accept that names neither still gets JSON. */
export function negotiate(accept: string | undefined): MediaType {
  const accepted = accept?.slice(0, 500).toLowerCase()
  if (!accepted?.includes('application/cbor')) return 'application/json'
  let cbor = 0
  let json = 0
  for (const range of accepted.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const q = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
    const weight = Number.isFinite(q) ? q : 0
    if (type === 'application/cbor') cbor = weight
    if (type === 'application/json') json = weight
  }
  return cbor > 0 && cbor >= json ? 'application/cbor' : 'application/json'
}
