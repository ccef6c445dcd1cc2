import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { CborError, decodeCbor } from './strict-cbor.js'
import { encodeCbor } from '../platform/http/encode.js'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('decodeCbor', () => {
  const scalar = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null), fc.uint8Array())
  const key = fc.string().filter((name) => name !== '__proto__')
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 5 },
      scalar,
      fc.array(tie('any'), { maxLength: 5 }),
      fc.dictionary(key, tie('any'), { maxKeys: 5, noNullPrototype: true }),
    ),
  })).any

  it('reads back what we write', () => {
    fc.assert(fc.property(value, (any) => expect(decodeCbor(encodeCbor(any))).toEqual(any)))
  })

  it('refuses every truncation and every trailing byte of what it accepts', () => {
    fc.assert(
      fc.property(value, fc.nat(), (any, cut) => {
        const bytes = encodeCbor(any)
        expect(() => decodeCbor(bytes.subarray(0, cut % bytes.length))).toThrow(CborError)
        expect(() => decodeCbor(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(CborError)
      }),
    )
  })

  it('answers any bytes with a value or a CborError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeCbor(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(CborError)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['a tag', 'c0 00'],
    ['a bignum', 'c2 41 01'],
    ['an indefinite array', '9f 01 ff'],
    ['an indefinite byte string', '5f 41 01 ff'],
    ['an indefinite map', 'bf 61 61 01 ff'],
    ['a duplicate key', 'a2 61 61 01 61 61 02'],
    ['a number as key', 'a1 01 01'],
    ['the key __proto__', 'a1 69 5f5f70726f746f5f5f a0'],
    ['a length that is not the shortest', '58 01 61'],
    ['an integer that is not the shortest', '18 01'],
    ['undefined', 'f7'],
    ['NaN', 'f9 7e00'],
    ['Infinity', 'f9 7c00'],
    ['an integer past 2^53', '1b 0020000000000001'],
    ['a length past the end', '5a ffffffff 00'],
    ['an array longer than the input', '9a ffffffff 00'],
    ['text that is not UTF-8', '61 ff'],
    ['a reserved head', '1c'],
    ['nothing', ''],
    ['17 levels', `${'81'.repeat(17)}00`],
    ['a million levels', '81'.repeat(1_000_000)],
    ['50,001 items', `99c350${'00'.repeat(50_000)}`],
  ])('refuses %s', (_name, text) => {
    expect(() => decodeCbor(hex(text))).toThrow(CborError)
  })
})
