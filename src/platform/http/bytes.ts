import { MAX_GROUP_ID_BYTES } from '../../protocol/identifiers.js'
import { z } from 'zod'

/** Larger fields are refused before anything looks at them; the configured limits are lower. */
const MAX_FIELD_BYTES = 16 * 1024 ** 2

/** Unpadded, canonical base64url (RFC 4648 §5) only: two spellings of one value would defeat comparisons. */
export function fromBase64url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) return undefined
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Base64url without padding (RFC 4648 §5), as JSON bodies and paths have bytes. */
export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/** Length of base64url without padding. */
function textLength(byteLength: number): number {
  return Math.ceil((byteLength * 4) / 3)
}

function bytes(minBytes: number, maxBytes: number, description: string) {
  return z
    .custom<string | Uint8Array>()
    .transform((value, context): Uint8Array => {
      const decoded = typeof value === 'string' ? decodeWithin(value, maxBytes) : value
      if (!(decoded instanceof Uint8Array)) {
        context.addIssue({ code: 'custom', message: 'Expected base64url without padding, or a byte string in CBOR' })
        return z.NEVER
      }
      if (decoded.length > maxBytes)
        context.addIssue({ code: 'custom', message: `At most ${maxBytes} bytes`, params: { tooLarge: maxBytes } })
      if (decoded.length < minBytes) context.addIssue({ code: 'custom', message: `At least ${minBytes} bytes` })
      return decoded
    })
    .meta({
      type: 'string',
      contentEncoding: 'base64url',
      pattern: '^[A-Za-z0-9_-]*$',
      minLength: textLength(minBytes),
      maxLength: textLength(maxBytes),
      description,
    })
}

/** A text that is too long is not decoded at all: its length is enough to refuse it. */
function decodeWithin(text: string, maxBytes: number): Uint8Array | undefined {
  return text.length > textLength(maxBytes) ? new Uint8Array(maxBytes + 1) : fromBase64url(text)
}

/** Opaque bytes: base64url in JSON, a byte string in CBOR, a Uint8Array inside. More than `maxBytes` answers 413. */
export const MlsBytes = (maxBytes = MAX_FIELD_BYTES) => bytes(1, maxBytes, 'Bytes: base64url without padding; a byte string in CBOR')

/** Bytes that may be empty. */
export const Bytes = (maxBytes = MAX_FIELD_BYTES) => bytes(0, maxBytes, 'Bytes: base64url without padding; a byte string in CBOR')

/** A SHA-256 value, a KeyPackageRef of a suite with SHA-256, a chain head. */
export const Hash = bytes(32, 64, 'A hash: base64url; a byte string in CBOR')

/** An MLS group_id (RFC 9420 §8.1), also in a path. */
export const GroupId = bytes(1, MAX_GROUP_ID_BYTES, 'MLS group_id: base64url; a byte string in CBOR')
export type GroupId = z.infer<typeof GroupId>

const WHOLE_NUMBER = { type: 'integer', format: 'int64', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const

function wholeNumber(description: string) {
  return z
    .union([z.int().nonnegative(), z.bigint().nonnegative().max(BigInt(Number.MAX_SAFE_INTEGER))])
    .transform((value) => BigInt(value))
    .meta({ ...WHOLE_NUMBER, description })
}

/** uint64 in MLS; a JSON number here, so at most 2^53 - 1. A bigint inside. */
export const Epoch = wholeNumber('MLS epoch')
export type Epoch = z.infer<typeof Epoch>
/** Position in a group's log, from 1; 0 is before the first. */
export const Seq = wholeNumber('Position in the log of a group')
export type Seq = z.infer<typeof Seq>
/** Any other identifier that PostgreSQL numbers. */
export const RowId = wholeNumber('Identifier')
/** How much there is of something: bytes, or pieces. */
export const Amount = wholeNumber('Amount')

function wholeNumberText(description: string) {
  return z
    .string()
    .regex(/^\d{1,16}$/, 'Expected a whole number')
    .transform(BigInt)
    .refine((value) => value <= BigInt(Number.MAX_SAFE_INTEGER), 'Number too large')
    .meta({ ...WHOLE_NUMBER, description })
}

/** The same in a query or a path, where everything is text. */
export const EpochText = wholeNumberText('MLS epoch')
export const SeqText = wholeNumberText('Position in the log of a group')
export const RowIdText = wholeNumberText('Identifier')

/** A limit or a time in a query: text there, a number within bounds inside. */
export function CountText(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, 'Expected a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `Expected ${min} to ${max}`)
    .meta({ type: 'integer', minimum: min, maximum: max })
}

/** The end of the year 9999: what PostgreSQL and Date can both hold. */
const LAST_SECOND = 253_402_300_799

/** A moment as whole Unix seconds on the wire, a Date inside. */
export const UnixSeconds = z
  .union([z.int().nonnegative().max(LAST_SECOND), z.date()])
  .transform((value) => (value instanceof Date ? value : new Date(value * 1000)))
  .meta({ type: 'integer', format: 'int64', minimum: 0, maximum: LAST_SECOND, description: 'Unix time in seconds' })
