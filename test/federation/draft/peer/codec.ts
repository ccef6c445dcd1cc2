/** What does not decode. */
export class Malformed extends Error {}

/** A decoder of ts-mls: the value at an offset, and how many bytes it took. */
export type MlsDecoder<T> = (bytes: Uint8Array, offset: number) => [T, number] | undefined

/** Reads the TLS presentation language (RFC 8446 §3) with the vectors of RFC 9420 §2.1.2. Each method throws `Malformed`. */
export class Reader {
  at = 0
  constructor(readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.at === this.bytes.length
  }

  u8 = (): number => Number(this.#integer(1))
  u16 = (): number => Number(this.#integer(2))
  u32 = (): number => Number(this.#integer(4))
  u64 = (): bigint => this.#integer(8)

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new Malformed('Cut short')
    this.at += length
    return this.bytes.slice(this.at - length, this.at)
  }

  opaque = (): Uint8Array => this.take(this.#length())

  text(): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.opaque())
    } catch {
      throw new Malformed('Not UTF-8')
    }
  }

  list<T>(item: (reader: Reader) => T): T[] {
    const inside = new Reader(this.opaque())
    const items: T[] = []
    while (!inside.done) items.push(item(inside))
    return items
  }

  /** `optional<T>` of RFC 9420 §2.1.1. */
  optional<T>(value: (reader: Reader) => T): T | undefined {
    const present = this.u8()
    if (present > 1) throw new Malformed(`No such presence: ${present}`)
    return present === 1 ? value(this) : undefined
  }

  /** A structure of MLS. */
  mls<T>(decode: MlsDecoder<T>): T {
    const decoded = decode(this.bytes, this.at)
    if (!decoded) throw new Malformed('A structure of MLS does not decode')
    this.at += decoded[1]
    return decoded[0]
  }

  /** The bytes that `read` reads. */
  span(read: (reader: Reader) => unknown): Uint8Array {
    const start = this.at
    read(this)
    return this.bytes.slice(start, this.at)
  }

  #length(): number {
    const first = this.u8()
    const size = [0, 1, 3][first >> 6]
    if (size === undefined) throw new Malformed('No such length')
    return this.take(size).reduce((length, byte) => length * 256 + byte, first & 0x3f)
  }

  #integer(size: number): bigint {
    return this.take(size).reduce((value, byte) => value * 256n + BigInt(byte), 0n)
  }
}

/** All of the bytes as one value. @throws Malformed */
export function decodeWhole<T>(bytes: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(bytes)
  const value = read(reader)
  if (!reader.done) throw new Malformed('Something follows')
  return value
}

export const bytes = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

const uint = (size: number, value: number | bigint): Uint8Array =>
  Uint8Array.from({ length: size }, (_, index) => Number((BigInt(value) >> BigInt(8 * (size - 1 - index))) & 0xffn))

export const u8 = (value: number): Uint8Array => uint(1, value)
export const u16 = (value: number): Uint8Array => uint(2, value)
export const u32 = (value: number): Uint8Array => uint(4, value)
export const u64 = (value: bigint | number): Uint8Array => uint(8, value)

/** `opaque x<V>`; a text is its UTF-8. */
export function opaque(content: Uint8Array | string): Uint8Array {
  const raw = typeof content === 'string' ? Buffer.from(content, 'utf8') : content
  const { length } = raw
  const head = length < 0x40 ? u8(length) : length < 0x4000 ? u16(0x4000 + length) : u32(0x8000_0000 + length)
  return bytes(head, raw)
}

export const list = (items: readonly Uint8Array[]): Uint8Array => opaque(bytes(...items))
export const optional = (value: Uint8Array | undefined): Uint8Array => (value === undefined ? u8(0) : bytes(u8(1), value))
