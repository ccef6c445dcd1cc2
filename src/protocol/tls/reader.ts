import type { Steps } from '../steps.js'
import { varintSize } from './writer.js'

/** What a reader throws; `decodeWhole` turns it into a value, so it never leaves `src/protocol`. */
export class Malformed extends Error {}

/** A decoder's answer: the value, or why the bytes are not one. */
export type Decoded<T> = { readonly kind: 'decoded'; readonly value: T } | { readonly kind: 'malformed'; readonly reason: string }

/**
 * Decodes all of `bytes` as one T. Never throws: bytes that run short, continue after the value or break a rule of `read` are
 * 'malformed'. The value's byte fields are views of `bytes`, which the caller must not change afterwards.
 */
export function decodeWhole<T>(bytes: Uint8Array, read: (reader: TlsReader) => T): Decoded<T> {
  try {
    const reader = new TlsReader(bytes)
    const value = read(reader)
    reader.expectEnd()
    return { kind: 'decoded', value }
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message }
    throw error
  }
}

/** `decodeWhole` by steps. */
export function* decodeWholeInSteps<T>(bytes: Uint8Array, read: (reader: TlsReader) => Steps<T>): Steps<Decoded<T>> {
  try {
    const reader = new TlsReader(bytes)
    const value = yield* read(reader)
    reader.expectEnd()
    return { kind: 'decoded', value }
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message }
    throw error
  }
}

/**
 * Reads the TLS presentation language (RFC 8446 §3) with the vectors and optionals of RFC 9420 §2.1. Strict: every value has
 * exactly one encoding it accepts, so what decodes would encode to the same bytes again, and a slice of the input is as good
 * as an encoder. It copies nothing, and allocates for a vector only what its bytes and the caller's cap on items allow.
 */
export class TlsReader {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private end: number
  private at = 0

  constructor(bytes: Uint8Array) {
    // A plain view, since subarrays of a Buffer would be Buffers, whose slice() does not copy.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.end = bytes.byteLength
  }

  get position(): number {
    return this.at
  }

  /** Bytes up to the end of what is being read. */
  get remaining(): number {
    return this.end - this.at
  }

  uint8(): number {
    return this.view.getUint8(this.advance(1))
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2))
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4))
  }

  uint64(): bigint {
    return this.view.getBigUint64(this.advance(8))
  }

  /** What was read since `start`, a former `position`. */
  since(start: number): Uint8Array {
    return this.bytes.subarray(start, this.at)
  }

  /** `opaque x[length]`. */
  fixed(length: number): Uint8Array {
    const start = this.advance(length)
    return this.bytes.subarray(start, start + length)
  }

  /** `opaque x<V>`. */
  opaque(): Uint8Array {
    const length = this.vectorLength()
    const start = this.advance(length)
    return this.bytes.subarray(start, start + length)
  }

  /** `T x<V>`, of at most `maxItems`. */
  vector<T>(maxItems: number, read: (reader: TlsReader) => T): T[] {
    const items: T[] = []
    this.forEach((reader) => {
      if (items.length === maxItems) throw new Malformed(`a vector has more than ${maxItems} items`)
      items.push(read(reader))
    })
    return items
  }

  /** `vector` by steps, of which each reads one item, for one so long that other work has to run in between. */
  *vectorInSteps<T>(maxItems: number, read: (reader: TlsReader) => T): Steps<T[]> {
    const items: T[] = []
    const outerEnd = this.enterVector()
    while (this.at < this.end) {
      if (items.length === maxItems) throw new Malformed(`a vector has more than ${maxItems} items`)
      items.push(this.readItem(read))
      yield
    }
    this.end = outerEnd
    return items
  }

  /** Reads and checks `T x<V>` like `vector`, but keeps only the number of items. */
  countVector(skip: (reader: TlsReader) => void): number {
    let count = 0
    this.forEach((reader) => {
      skip(reader)
      count++
    })
    return count
  }

  /** `optional<T>`: a presence octet other than 0 and 1 is malformed (RFC 9420 §2.1.1). */
  optional<T>(read: (reader: TlsReader) => T): T | undefined {
    const present = this.uint8()
    if (present > 1) throw new Malformed('a presence octet is neither 0 nor 1')
    return present === 1 ? read(this) : undefined
  }

  expectEnd(): void {
    if (this.at !== this.end) throw new Malformed('bytes follow the end')
  }

  private forEach(readItem: (reader: TlsReader) => void): void {
    const outerEnd = this.enterVector()
    while (this.at < this.end) this.readItem(readItem)
    this.end = outerEnd
  }

  /** @returns where what encloses the vector ends */
  private enterVector(): number {
    const outerEnd = this.end
    const length = this.vectorLength()
    this.end = this.advance(length) + length
    this.at = this.end - length
    return outerEnd
  }

  private readItem<T>(read: (reader: TlsReader) => T): T {
    const before = this.at
    const item = read(this)
    if (this.at === before) throw new Malformed('a vector item is empty')
    return item
  }

  private vectorLength(): number {
    const first = this.uint8()
    const prefix = first >> 6
    if (prefix === 3) throw new Malformed('a vector length has an invalid prefix')
    let length = first & 0x3f
    for (let more = (1 << prefix) - 1; more > 0; more--) length = length * 256 + this.uint8()
    if (varintSize(length) !== 1 << prefix) throw new Malformed('a vector length is not in its shortest form')
    return length
  }

  private advance(length: number): number {
    const start = this.at
    if (length > this.end - start) throw new Malformed('the bytes end too early')
    this.at = start + length
    return start
  }
}
