import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeJson, JsonError } from './decode-json.js'

const decode = (text: string) => decodeJson(Buffer.from(text))

describe('decodeJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 8 }).filter((text) => !text.includes('__proto__')),
        (text) => {
          expect(decode(text)).toEqual(JSON.parse(text))
        },
      ),
    )
  })

  it.each([
    ['duplicate member name', '{"a":1,"a":2}'],
    ['duplicate member name', '{"a":1,"\\u0061":2}'],
    ['duplicate member name', '[{"x":{"b":1 , "b" : 2}}]'],
    ['forbidden member name', '{"__proto__":{"admin":true}}'],
    ['forbidden member name', '{"\\u005f_proto__":1}'],
    ['nested too deeply', `${'['.repeat(17)}${']'.repeat(17)}`],
    ['nested too deeply', '['.repeat(1_000_000)],
    ['too many values', `[${'0,'.repeat(64_001)}0]`],
    ['cut short', '{"a":"b'],
    ['not JSON', '{"a":'],
    ['not JSON', '{"a":1}}'],
    ['not JSON', '{"a":1} {"a":1}'],
    ['not JSON', '\ufeff{}'],
    ['not JSON', 'NaN'],
    ['not JSON', ''],
  ])('refuses what is %s', (reason, text) => {
    expect(() => decode(text)).toThrow(new JsonError(reason))
  })

  it('refuses bytes that are not UTF-8', () => {
    expect(() => decodeJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(new JsonError('not UTF-8'))
  })

  it('accepts the same name in different objects, and as a value', () => {
    expect(decode('{"a":{"a":"a"},"b":["a","a",{"a":1}]}')).toEqual({ a: { a: 'a' }, b: ['a', 'a', { a: 1 }] })
  })

  it('stays linear on strings that never end', () => {
    // Six million characters, which would take hours if each were looked at for each before it.
    expect(() => decode(`"${'\\"'.repeat(3_000_000)}`)).toThrow(JsonError)
  })
})
