import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  decodeRequestMessage,
  decodeResponseMessage,
  encodeRequestMessage,
  encodeResponseMessage,
  type BinaryRequestMessage,
  type Field,
} from '../../src/protocol/ohttp/binary-message.js'

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')])
const padding = (length: number) => new Uint8Array(length)

/** The known-length request of RFC 9292 §5.1. */
const RFC_REQUEST = hex(`
  00034745 54056874 74707300 0a2f6865 6c6c6f2e 74787440 6c0a7573 65722d61
  67656e74 34637572 6c2f372e 31362e33 206c6962 6375726c 2f372e31 362e3320
  4f70656e 53534c2f 302e392e 376c207a 6c69622f 312e322e 3304686f 73740f77
  77772e65 78616d70 6c652e63 6f6d0f61 63636570 742d6c61 6e677561 67650665
  6e2c206d 690000`)
const REQUEST: BinaryRequestMessage = {
  method: 'GET',
  scheme: 'https',
  authority: '',
  path: '/hello.txt',
  fields: [
    ['user-agent', 'curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3'],
    ['host', 'www.example.com'],
    ['accept-language', 'en, mi'],
  ],
  content: padding(0),
}

/** The known-length response of RFC 9292 §5.2, which has a trailer. */
const RFC_RESPONSE = hex(`
  0140c800 1d546869 7320636f 6e74656e 7420636f 6e746169 6e732043 524c462e 0d0a0d07 74726169 6c657204 74657874`)

interface Parts {
  readonly start?: Uint8Array
  readonly control?: readonly string[]
  readonly lines?: readonly string[]
  readonly section?: Uint8Array
  readonly tail?: Uint8Array
}

/** A request of known length, by hand; `lines` are names and values in turn. */
function request({ start, control, lines = ['te', 'x'], section, tail }: Parts = {}): Uint8Array {
  const fields = section ?? Buffer.concat(lines.map(text))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(0x8000_0000 + fields.length)
  const targets = (control ?? ['POST', 'https', 'a.example', '/x']).map(text)
  return new Uint8Array(Buffer.concat([start ?? Buffer.of(0), ...targets, length, fields, tail ?? text('body')]))
}

const kindOf = (bytes: Uint8Array) => decodeRequestMessage(bytes).kind
const responseOf = (bytes: Uint8Array) => decodeResponseMessage(bytes)

describe('the examples of RFC 9292 and RFC 9458', () => {
  it('have the request that ours is', () => {
    expect(decodeRequestMessage(RFC_REQUEST)).toEqual({ kind: 'decoded', value: REQUEST })
    expect(encodeRequestMessage(REQUEST)).toEqual(RFC_REQUEST)
  })
  it('mean the same without the last two bytes, and with zeros', () => {
    for (const same of [RFC_REQUEST.subarray(0, -1), RFC_REQUEST.subarray(0, -2), Uint8Array.of(...RFC_REQUEST, ...padding(99))]) {
      expect(decodeRequestMessage(same)).toEqual({ kind: 'decoded', value: REQUEST })
    }
  })
  it('have a response with a trailer, which is skipped', () => {
    const content = new Uint8Array(Buffer.from('This content contains CRLF.\r\n'))
    expect(responseOf(RFC_RESPONSE)).toEqual({ kind: 'decoded', value: { status: 200, fields: [], content } })
  })
  it('have messages that end after their control data', () => {
    const value = { method: 'GET', scheme: 'https', authority: 'example.com', path: '/', fields: [], content: padding(0) }
    expect(decodeRequestMessage(hex('00034745540568747470730b6578616d706c652e636f6d012f'))).toEqual({ kind: 'decoded', value })
    expect(responseOf(hex('0140c8'))).toEqual({ kind: 'decoded', value: { status: 200, fields: [], content: padding(0) } })
  })
})

describe('messages', () => {
  const name = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9a-z-]{1,20}$/)
  const value = fc.stringMatching(/^([!-~\x80-\xff]([\t -~\x80-\xff]{0,30}[!-~\x80-\xff])?)?$/)
  const body = { fields: fc.array(fc.tuple(name, value), { maxLength: 20 }), content: fc.uint8Array({ maxLength: 400, size: 'max' }) }
  const requests = fc.record({
    method: fc.constantFrom('GET', 'POST', 'M-SEARCH'),
    scheme: fc.constantFrom('https', 'http'),
    authority: fc.constantFrom('', 'a.example', 'a.example:8443', '[::1]:80'),
    path: fc.stringMatching(/^\/[!"$-~]{0,90}$/),
    ...body,
  })
  const responses = fc.record({ status: fc.integer({ min: 200, max: 599 }), ...body })
  const blocks = fc.constantFrom(1, 2, 512, 1000)

  it('come back, and have the size of a block', () => {
    fc.assert(
      fc.property(requests, responses, blocks, (request, response, block) => {
        const [question, answer] = [encodeRequestMessage(request, block), encodeResponseMessage(response, block)]
        expect([question.length % block, answer.length % block]).toEqual([0, 0])
        expect(decodeRequestMessage(question)).toEqual({ kind: 'decoded', value: request })
        expect(responseOf(answer)).toEqual({ kind: 'decoded', value: response })
      }),
    )
  })
  it('of any bytes make no decoder throw', () => {
    const start = fc.constantFrom(hex(''), hex('00'), hex('01'), hex('0140c8'), RFC_REQUEST.subarray(0, 28))
    const property = fc.property(start, fc.uint8Array({ maxLength: 300, size: 'max' }), (head, rest) => {
      const bytes = Uint8Array.of(...head, ...rest)
      void [decodeRequestMessage(bytes), responseOf(bytes)]
    })
    fc.assert(property, { numRuns: 2_000 })
  })
  it('changed in any bit make no decoder throw, and do not mean the same', () => {
    for (let bit = 0; bit < RFC_REQUEST.length * 8; bit++) {
      const changed = RFC_REQUEST.slice()
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const decoded = decodeRequestMessage(changed)
      // The last two bytes are lengths of nothing: 4000 says the same as 0000.
      if (bit >> 3 < RFC_REQUEST.length - 2) expect(decoded).not.toEqual({ kind: 'decoded', value: REQUEST })
    }
  })
})

describe('a request is malformed', () => {
  it('cut short anywhere but where what is missing may be left out', () => {
    const bytes = request()
    const ends = new Set([bytes.length - 5, bytes.length - 5 - 5 - 4])
    for (let length = 0; length < bytes.length; length++) {
      expect([length, kindOf(bytes.subarray(0, length))]).toEqual([length, ends.has(length) ? 'decoded' : 'malformed'])
    }
  })
  it.each([
    ['of a response', { start: Buffer.of(1) }],
    ['of indeterminate length', { start: Buffer.of(2) }],
    ['of no known framing', { start: Buffer.of(4) }],
    ['with no method', { control: ['', 'https', 'a.example', '/x'] }],
    ['with a method of two words', { control: ['GET /', 'https', 'a.example', '/x'] }],
    ['with no scheme', { control: ['GET', '', 'a.example', '/x'] }],
    ['with a user in the authority', { control: ['GET', 'https', 'me@a.example', '/x'] }],
    ['with a path in the authority', { control: ['GET', 'https', 'a.example/', '/x'] }],
    ['with a path that starts nowhere', { control: ['GET', 'https', 'a.example', 'x'] }],
    ['with a space in the path', { control: ['GET', 'https', 'a.example', '/x y'] }],
    ['with a fragment', { control: ['GET', 'https', 'a.example', '/x#y'] }],
    ['with a path that is not ASCII', { control: ['GET', 'https', 'a.example', '/\xe4'] }],
    ['with an empty name', { lines: ['', 'x'] }],
    ['with a name in upper case', { lines: ['Te', 'x'] }],
    ['with a pseudo-field', { lines: [':path', '/y'] }],
    ['with a line break in a value', { lines: ['te', 'x\r\ny: z'] }],
    ['with a line break after a value', { lines: ['te', 'x\n'] }],
    ['with a zero byte in a value', { lines: ['te', 'x\0'] }],
    ['with a space before a value', { lines: ['te', ' x'] }],
    ['with a tab after a value', { lines: ['te', 'x\t'] }],
    ['with a name without a value', { lines: ['te'] }],
    ['with a value that runs out of its section', { section: Buffer.from('027465056162', 'hex') }],
    ['with 65 fields', { lines: Array.from({ length: 130 }, () => 'x') }],
    ['with more than 16 KiB of fields', { section: bigSection() }],
    ['with padding that is not zero', { tail: hex('00000001') }],
    ['with trailers of wrong form', { tail: hex('00 04 01 41 01 62') }],
    ['with trailers that run out', { tail: hex('00 04 01 61 01') }],
    ['with a length beyond the end', { tail: hex('05 61626364') }],
    ['with a length of 2^62 - 1', { tail: hex('ffffffffffffffff 61') }],
    ['with a length that is cut short', { tail: hex('c00000') }],
  ] as const)('%s', (_what, parts: Parts) => {
    expect(kindOf(request())).toBe('decoded')
    expect(kindOf(request(parts))).toBe('malformed')
  })
})

/** One field of 16 KiB and a byte, with all its lengths right. */
function bigSection(size = 16_385): Uint8Array {
  const value = Buffer.alloc(size - 2 - 4, 'x')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(0x8000_0000 + value.length)
  return Buffer.concat([text('a'), length, value])
}

describe('a request is taken', () => {
  it('with 64 fields, and with 16 KiB of them', () => {
    expect(kindOf(request({ lines: Array.from({ length: 128 }, () => 'x') }))).toBe('decoded')
    expect(kindOf(request({ section: bigSection(16_384) }))).toBe('decoded')
  })
  it('with a length in more bytes than it needs (RFC 9000 §16)', () => {
    const content = new Uint8Array(Buffer.from('ab'))
    for (const length of ['02', '4002', '80000002', 'c000000000000002']) {
      expect(decodeRequestMessage(request({ tail: hex(`${length}6162`) }))).toMatchObject({ kind: 'decoded', value: { content } })
    }
  })
  it('with trailers, which are skipped', () => {
    expect(decodeRequestMessage(request({ tail: hex('00 04 01 61 01 62 0000') }))).toMatchObject({ value: { fields: [['te', 'x']] } })
  })
})

describe('a response', () => {
  it('may have informational ones before it, which are skipped', () => {
    expect(responseOf(hex('01 4067 04 01610162 4066 00 40cc 00 00 00'))).toMatchObject({
      kind: 'decoded',
      value: { status: 204, fields: [] },
    })
    expect(responseOf(hex(`01 ${'4067 00'.repeat(8)} 40c8`)).kind).toBe('decoded')
    expect(responseOf(hex(`01 ${'4067 00'.repeat(9)} 40c8`)).kind).toBe('malformed')
  })
  it.each([
    '01',
    '01 00',
    '01 4063',
    '01 4063 00 40c8',
    '01 4258',
    '01 4258 00 40c8',
    '01 ffffffffffffffff',
    '01 4067 00',
    '00 40c8',
    '03 40c8 00',
  ])('%s is malformed', (bytes) => {
    expect(responseOf(hex(bytes)).kind).toBe('malformed')
  })
})

describe('the encoder', () => {
  it.each([
    ['method', { method: 'GET ' }],
    ['path', { path: 'x' }],
    ['name', { fields: [['Te', 'x']] as Field[] }],
    ['value', { fields: [['te', 'x\r\n']] as Field[] }],
    ['character beyond a byte', { fields: [['te', '€']] as Field[] }],
    ['size of fields', { fields: [['te', 'x'.repeat(16_384)]] as Field[] }],
    ['number of fields', { fields: Array.from({ length: 65 }, (): Field => ['a', 'b']) }],
  ])('refuses a %s that the decoder would refuse', (_what, wrong) => {
    expect(() => encodeRequestMessage({ ...REQUEST, ...wrong })).toThrow(RangeError)
  })
  it.each([199, 600, 200.5, Number.NaN])('refuses the status %d', (status) => {
    expect(() => encodeResponseMessage({ status, fields: [], content: padding(0) })).toThrow(RangeError)
  })
  it.each([0, -1, 1.5, Number.NaN])('refuses to pad to %d', (block) => {
    expect(() => encodeRequestMessage(REQUEST, block)).toThrow(RangeError)
  })
})
