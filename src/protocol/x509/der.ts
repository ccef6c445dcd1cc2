import { Malformed } from '../tls/reader.js'

/** Tags of ITU-T X.690 that certificates use; context-specific ones are `0x80 | number`, with `0x20` where constructed. */
export const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const

/** One value: its tag, its content, and both together as they are written. */
export interface DerValue {
  readonly tag: number
  readonly content: Uint8Array
  readonly bytes: Uint8Array
}

/**
 * Reads the Distinguished Encoding Rules (ITU-T X.690 §10) strictly: tags of one byte, definite lengths in their shortest form, no bytes
 * behind the last value. What it takes has one encoding. It copies nothing and does not recurse. Its methods throw `Malformed`.
 */
export class DerReader {
  private at = 0

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.at === this.bytes.length
  }

  /** The next value if it has this tag; undefined otherwise, and at the end. */
  optional(tag: number): DerValue | undefined {
    return this.bytes[this.at] === tag ? this.next(tag) : undefined
  }

  next(tag?: number): DerValue {
    const start = this.at
    const found = this.byte()
    if ((found & 0x1f) === 0x1f) throw new Malformed('a tag of several bytes')
    if (tag !== undefined && found !== tag) throw new Malformed(`tag ${found} where ${tag} is expected`)
    const length = this.length()
    if (length > this.bytes.length - this.at) throw new Malformed('a value is longer than what is there')
    const content = this.bytes.subarray(this.at, this.at + length)
    this.at += length
    return { tag: found, content, bytes: this.bytes.subarray(start, this.at) }
  }

  sequence(): DerReader {
    return new DerReader(this.next(TAGS.sequence).content)
  }

  /** Dotted decimals are not needed: the content in hex names an object identifier as well. */
  oid(): string {
    const { content } = this.next(TAGS.oid)
    const last = content.at(-1)
    if (last === undefined || last >= 0x80) throw new Malformed('an object identifier ends too early')
    if (content.some((byte, index) => byte === 0x80 && (index === 0 || (content[index - 1] ?? 0) < 0x80)))
      throw new Malformed('an object identifier is padded')
    return Buffer.from(content).toString('hex')
  }

  /** An INTEGER that is not negative, in its shortest form. @returns its big-endian bytes without a leading zero, but for 0 itself */
  unsigned(tag: number = TAGS.integer): Uint8Array {
    const { content } = this.next(tag)
    const [first, second] = content
    if (first === undefined || first >= 0x80) throw new Malformed('an integer is empty or negative')
    if (first !== 0 || second === undefined) return content
    if (second < 0x80) throw new Malformed('an integer is padded')
    return content.subarray(1)
  }

  /** An INTEGER from 0 to 255. */
  small(tag: number = TAGS.integer): number {
    const [first = 0, ...more] = this.unsigned(tag)
    if (more.length > 0) throw new Malformed('a number is too large')
    return first
  }

  /** BOOLEAN DEFAULT FALSE: TRUE, or absent. */
  isTrue(): boolean {
    const value = this.optional(TAGS.boolean)
    if (value === undefined) return false
    if (value.content.length !== 1 || value.content[0] !== 0xff) throw new Malformed('a default is written, or a boolean is neither')
    return true
  }

  /** A BIT STRING of whole bytes. */
  bitString(): Uint8Array {
    const { content } = this.next(TAGS.bitString)
    if (content[0] !== 0) throw new Malformed('a bit string is not of whole bytes')
    return content.subarray(1)
  }

  expectEnd(): void {
    if (!this.isAtEnd) throw new Malformed('bytes follow the value')
  }

  private byte(): number {
    const byte = this.bytes[this.at]
    if (byte === undefined) throw new Malformed('it ends too early')
    this.at += 1
    return byte
  }

  private length(): number {
    const first = this.byte()
    if (first < 0x80) return first
    const count = first & 0x7f
    if (count === 0 || count > 2) throw new Malformed('a length is indefinite or too large')
    const length = count === 1 ? this.byte() : (this.byte() << 8) | this.byte()
    if (length < (count === 1 ? 0x80 : 0x100)) throw new Malformed('a length is not in its shortest form')
    return length
  }
}

/** Time of RFC 5280 §4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050 on, in seconds and UTC. @returns seconds since 1970 */
export function readTime(reader: DerReader): bigint {
  const { tag, content } = reader.next()
  const text = Buffer.from(content).toString('latin1')
  const [, year = '', rest = ''] = (tag === TAGS.utcTime ? /^(\d\d)(\d{10})Z$/ : /^(\d{4})(\d{10})Z$/).exec(text) ?? []
  if ((tag !== TAGS.utcTime && tag !== TAGS.generalizedTime) || rest === '') throw new Malformed('a time is not in the form of RFC 5280')
  const century = tag === TAGS.generalizedTime ? '' : Number(year) >= 50 ? '19' : '20'
  if (tag === TAGS.generalizedTime && Number(year) < 2050) throw new Malformed('a time before 2050 is in the longer form')
  const [month, day, hour, minute, second] = rest.match(/../g) ?? []
  const iso = `${century}${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const ms = Date.parse(iso)
  // 31 June would be read as 1 July.
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso) throw new Malformed('a time does not exist')
  return BigInt(ms / 1000)
}

/** One DER value of at most 65,535 bytes of content. */
export function encodeDer(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts)
  const { length } = content
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...(length < 0x80 ? [length] : long)), content])
}
