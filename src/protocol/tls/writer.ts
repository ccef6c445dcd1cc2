import type { Steps } from '../steps.js'

const INITIAL_BYTES = 256

/** The most bytes a variable-length vector can announce: 30 bits (RFC 9420 §2.1.2). */
export const MAX_VECTOR_BYTES = 2 ** 30 - 1

/**
 * Writes the TLS presentation language (RFC 8446 §3) with the variable-length vectors of RFC 9420 §2.1.2.
 * Integers are big-endian. Values out of range are a programming error and throw a RangeError.
 */
export class TlsWriter {
  private buffer = new Uint8Array(INITIAL_BYTES)
  private view = new DataView(this.buffer.buffer)
  private length = 0

  uint8(value: number): this {
    const at = this.claim(1) // which may replace the view
    this.view.setUint8(at, within(value, 0xff))
    return this
  }

  uint16(value: number): this {
    const at = this.claim(2)
    this.view.setUint16(at, within(value, 0xffff))
    return this
  }

  uint32(value: number): this {
    const at = this.claim(4)
    this.view.setUint32(at, within(value, 0xffff_ffff))
    return this
  }

  uint64(value: bigint): this {
    if (value < 0n || value >> 64n !== 0n) throw new RangeError('not a uint64')
    const at = this.claim(8)
    this.view.setBigUint64(at, value)
    return this
  }

  /** Appends bytes that are already encoded. */
  raw(bytes: Uint8Array): this {
    const at = this.claim(bytes.length)
    this.buffer.set(bytes, at)
    return this
  }

  /** `opaque x<V>`, and any vector whose items are already encoded. */
  opaque(bytes: Uint8Array): this {
    return this.vectorHeader(bytes.length).raw(bytes)
  }

  /** `T x<V>`: the items are encoded aside, since the header's size depends on theirs. */
  vector<T>(items: Iterable<T>, write: (writer: TlsWriter, item: T) => void): this {
    const body = new TlsWriter()
    for (const item of items) write(body, item)
    return this.opaque(body.written())
  }

  /** `vector` by steps, of which each writes one item. */
  *vectorInSteps<T>(items: Iterable<T>, write: (writer: TlsWriter, item: T) => void): Steps<this> {
    const body = new TlsWriter()
    for (const item of items) {
      write(body, item)
      yield
    }
    return this.opaque(body.peek())
  }

  /** `optional<T>` (RFC 9420 §2.1.1). */
  optional<T>(value: T | undefined, write: (writer: TlsWriter, value: T) => void): this {
    this.uint8(value === undefined ? 0 : 1)
    if (value !== undefined) write(this, value)
    return this
  }

  /** Forgets what was written but keeps the memory, for a writer that serves many short inputs one after the other. */
  reset(): this {
    this.length = 0
    return this
  }

  /** What was written, in the writer's own memory: for use at once, as the next write may change it. */
  peek(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }

  /** A copy of what was written, of just its size. */
  written(): Uint8Array {
    return this.buffer.slice(0, this.length)
  }

  private vectorHeader(length: number): this {
    switch (varintSize(within(length, MAX_VECTOR_BYTES))) {
      case 1:
        return this.uint8(length)
      case 2:
        return this.uint16(0x4000 | length)
      case 4:
        return this.uint32((0x8000_0000 | length) >>> 0)
    }
  }

  private claim(bytes: number): number {
    const at = this.length
    this.length += bytes
    if (this.length > this.buffer.length) this.grow()
    return at
  }

  private grow(): void {
    const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.length))
    larger.set(this.buffer)
    this.buffer = larger
    this.view = new DataView(larger.buffer)
  }
}

function within(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`not an integer from 0 to ${max}`)
  return value
}

/** The size in bytes (1, 2 or 4) of the shortest header that can announce `length`; any longer one is malformed (RFC 9420 §2.1.2). */
export function varintSize(length: number): 1 | 2 | 4 {
  if (length < 0x40) return 1
  return length < 0x4000 ? 2 : 4
}
