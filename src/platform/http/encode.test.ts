import { describe, expect, it } from '@jest/globals'
import { decode } from 'cborg'
import { negotiate, encodeCbor, encodeJson } from './encode.js'

const VALUE = { seq: 5n, at: new Date(1_500), bytes: new Uint8Array([255]), list: [{ none: undefined, nil: null }] }

describe('one value, two representations', () => {
  it('JSON: base64url, numbers, seconds, no undefined members', () => {
    expect(encodeJson(VALUE)).toBe('{"seq":5,"at":1,"bytes":"_w","list":[{"nil":null}]}')
  })
  it('CBOR: byte strings, numbers, seconds, no undefined members', () => {
    expect(decode(encodeCbor(VALUE))).toEqual({ seq: 5, at: 1, bytes: new Uint8Array([255]), list: [{ nil: null }] })
  })
  it('a Buffer is bytes, not an object', () => expect(encodeJson({ b: Buffer.from([255]) })).toBe('{"b":"_w"}'))
  it.each([encodeJson, encodeCbor])('refuses to round a number past 2^53', (encode) => {
    expect(() => encode({ seq: 2n ** 53n })).toThrow(RangeError)
  })
})

describe('negotiate', () => {
  it.each([
    [undefined, 'json'],
    ['*/*', 'json'],
    ['application/json', 'json'],
    ['text/html', 'json'],
    ['', 'json'],
    ['application/cbor', 'cbor'],
    ['application/cbor, application/json;q=0.5', 'cbor'],
    ['Application/CBOR', 'cbor'],
    ['application/json, application/cbor;q=0.5', 'json'],
    ['application/cbor;q=0', 'json'],
    ['application/cbor;q=x', 'json'],
    ['application/json, application/cbor', 'cbor'],
  ])('%j → %s', (accept, kind) => expect(negotiate(accept)).toBe(`application/${kind}`))
})
