import { describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { Bytes, CountText, Epoch, fromBase64url, GroupId, MlsBytes, Seq, SeqText, toBase64url, UnixSeconds } from './bytes.js'

const refuses = (schema: z.ZodType, value: unknown) => !schema.safeParse(value).success

describe('bytes', () => {
  it('are base64url in JSON and byte strings in CBOR', () => {
    expect(MlsBytes().parse('AP-_')).toEqual(new Uint8Array([0, 255, 191]))
    expect(MlsBytes().parse(new Uint8Array([1]))).toEqual(new Uint8Array([1]))
    expect(toBase64url(new Uint8Array([0, 255, 191]))).toBe('AP-_')
  })

  it.each(['AA==', 'A', 'AB', 'AP+/', 'A A', '', 'AAAAé'])('refuse %j: one value has one spelling', (text) => {
    expect(refuses(MlsBytes(), text)).toBe(true)
  })
  it.each([null, 1, true, [], {}, { 0: 1, length: 1 }, undefined])('refuse %j', (value) => {
    expect(refuses(MlsBytes(), value)).toBe(true)
  })

  it('say how large they may be, without decoding what is too long', () => {
    const result = MlsBytes(3).safeParse('A'.repeat(1_000_000))
    expect(result.error?.issues).toEqual([expect.objectContaining({ params: { tooLarge: 3 } })])
    expect(MlsBytes(3).parse('AAAA')).toHaveLength(3)
    expect(refuses(MlsBytes(3), 'AAAAAA')).toBe(true)
  })

  it('may be absent where the schema says so, but then not null', () => {
    const schema = z.strictObject({ a: MlsBytes().optional() })
    expect(schema.parse({})).toEqual({})
    expect(refuses(schema, { a: null })).toBe(true)
    expect(refuses(z.strictObject({ a: MlsBytes() }), {})).toBe(true)
  })

  it('may be empty only where that means something', () => {
    expect(Bytes().parse('')).toHaveLength(0)
    expect(refuses(GroupId, '')).toBe(true)
    expect(refuses(GroupId, toBase64url(new Uint8Array(256)))).toBe(true)
  })

  it('decode canonically', () => {
    expect(fromBase64url('AA')).toEqual(new Uint8Array([0]))
    expect(fromBase64url('AB')).toBeUndefined()
  })
})

describe('numbers', () => {
  it.each([0, 1, Number.MAX_SAFE_INTEGER])('%d is an epoch, a bigint inside', (value) => expect(Epoch.parse(value)).toBe(BigInt(value)))
  it.each([-1, 1.5, 2 ** 53, NaN, '1', null, -1n, 2n ** 53n])('%p is none', (value) => expect(refuses(Seq, value)).toBe(true))
  it.each([
    ['0', 0n],
    ['9007199254740991', 2n ** 53n - 1n],
  ])('%s in a query is %d', (text, value) => expect(SeqText.parse(text)).toBe(value))
  it.each(['', '-1', '1.5', '0x1', ' 1', '9007199254740992', '99999999999999999'])('%j in a query is none', (text) =>
    expect(refuses(SeqText, text)).toBe(true),
  )
  it('keeps a count within its bounds', () => {
    expect(CountText(1, 10).parse('10')).toBe(10)
    expect(refuses(CountText(1, 10), '0')).toBe(true)
    expect(refuses(CountText(1, 10), '11')).toBe(true)
  })
  it('keeps whole seconds of a moment', () => expect(UnixSeconds.parse(5)).toEqual(new Date(5_000)))
})
