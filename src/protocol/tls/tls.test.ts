import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeWhole, TlsReader } from './reader.js'
import { TlsWriter } from './writer.js'

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

describe('what is written', () => {
  it('is read back', () => {
    const length = fc.oneof(fc.nat(80), fc.integer({ min: 16_380, max: 16_390 }))
    const opaque = length.map((size) => '6b'.repeat(size)) // as hex, which compares faster than bytes
    const value = fc.record({
      u8: fc.nat(0xff),
      u16: fc.nat(0xffff),
      u32: fc.nat(0xffff_ffff),
      u64: fc.bigInt(0n, 2n ** 64n - 1n),
      opaque,
      list: fc.array(fc.nat(0xffff), { maxLength: 300 }),
      option: fc.option(fc.nat(0xff), { nil: undefined }),
    })
    fc.assert(
      fc.property(value, (written) => {
        const writer = new TlsWriter().uint8(written.u8).uint16(written.u16).uint32(written.u32).uint64(written.u64)
        writer.opaque(bytes(written.opaque)).vector(written.list, (item, number) => item.uint16(number))
        writer.optional(written.option, (item, number) => item.uint8(number))
        const read = decodeWhole(writer.written(), (reader) => ({
          u8: reader.uint8(),
          u16: reader.uint16(),
          u32: reader.uint32(),
          u64: reader.uint64(),
          opaque: Buffer.from(reader.opaque()).toString('hex'),
          list: reader.vector(300, (item) => item.uint16()),
          option: reader.optional((item) => item.uint8()),
        }))
        expect(read).toEqual({ kind: 'decoded', value: written })
      }),
    )
  })

  it('grows past the first buffer, whatever is written at its edge', () => {
    for (let before = 240; before < 260; before++) {
      const writer = new TlsWriter().raw(new Uint8Array(before)).uint64(1n).uint8(2).uint16(3).uint32(4)
      expect(Buffer.from(writer.written().subarray(before)).toString('hex')).toBe('000000000000000102000300000004')
    }
  })

  it('is forgotten by a reset, and seen without a copy by a peek', () => {
    const writer = new TlsWriter().uint32(0xffff_ffff)
    expect(writer.reset().uint8(7).peek()).toEqual(new Uint8Array([7]))
    expect(writer.peek().buffer).toBe(writer.peek().buffer)
    expect(writer.written().buffer).not.toBe(writer.peek().buffer)
  })

  it.each([
    ['a number too large', () => new TlsWriter().uint8(256)],
    ['a negative number', () => new TlsWriter().uint32(-1)],
    ['a fraction', () => new TlsWriter().uint16(0.5)],
    ['a uint64 too large', () => new TlsWriter().uint64(2n ** 64n)],
  ])('is never %s', (_case, write) => {
    expect(write).toThrow(RangeError)
  })
})

describe('decoding', () => {
  const opaque = (reader: TlsReader) => reader.opaque().length
  const numbers = (reader: TlsReader) => reader.vector(2, (item) => item.uint16())

  it.each([
    ['a length in two bytes that fits one', '4001ff', opaque],
    ['a length in four bytes that fits one', '80000001ff', opaque],
    ['a length in four bytes that fits two', `80000040${'00'.repeat(64)}`, opaque],
    ['a length with the prefix 11', 'c0', opaque],
    ['a vector cut short', '02ff', opaque],
    ['a length cut short', '8000', opaque],
    ['bytes after the end', '0000', opaque],
    ['an item that crosses the end of its vector', '03000100', numbers],
    ['an item too many', '06000100020003', numbers],
    ['a presence octet of 2', '02', (reader: TlsReader) => reader.optional((item) => item.uint8())],
    ['an empty item, which would never end', '0100', (reader: TlsReader) => reader.vector(9, () => 0)],
  ])('refuses %s', (_case, hex, read: (reader: TlsReader) => unknown) => {
    expect(decodeWhole(bytes(hex), read)).toMatchObject({ kind: 'malformed' })
  })

  it('never throws and accepts one encoding only, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (input) => {
        const read = decodeWhole(input, (reader) => reader.vector(40, (item) => item.optional((some) => some.opaque())))
        if (read.kind === 'malformed') return
        const again = new TlsWriter().vector(read.value, (item, some) => item.optional(some, (writer, value) => writer.opaque(value)))
        expect(Buffer.from(again.written())).toEqual(Buffer.from(input))
      }),
      { numRuns: 2000 },
    )
  })

  it('lets an error that is not about the bytes through', () => {
    const broken = () => {
      throw new TypeError('a bug')
    }
    expect(() => decodeWhole(new Uint8Array(), broken)).toThrow(TypeError)
  })
})
