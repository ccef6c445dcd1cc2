import { randomBytes } from 'node:crypto'
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Aead } from '../../src/protocol/ohttp/aead.js'
import {
  decapsulateRequest,
  decapsulateResponse,
  encapsulateRequest,
  encapsulateResponse,
  type ResponseSecret,
} from '../../src/protocol/ohttp/encapsulation.js'
import { decodeKeyConfigs, encodeKeyConfigs, publicKeyOf, type KeyConfig } from '../../src/protocol/ohttp/key-config.js'

const AEADS: readonly Aead[] = ['aes-128-gcm', 'chacha20-poly1305']
const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const hexOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex')
const bytes = (maxLength: number) => fc.uint8Array({ maxLength })

/** RFC 9458 appendix A. */
const PRIVATE_KEY = hex('3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a')
const PUBLIC_KEY = '31e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155'
const CONFIG = `010020${PUBLIC_KEY}00080001000100010003`
const REQUEST = '00034745540568747470730b6578616d706c652e636f6d012f'
const ENC = '4b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b472'
const ENCAPSULATED_REQUEST = `01002000010001${ENC}6374e469135906992e1268c594d2a10c695d858c40a026e7965e7d86b83dd440b2c0185204b4d63525`
const RESPONSE = '0140c8'
const NONCE = 'c789e7151fcba46158ca84b04464910d'
const ENCAPSULATED_RESPONSE = `${NONCE}86f9013e404feea014e7be4a441f234f857fbd`
const SECRET: ResponseSecret = { aead: 'aes-128-gcm', enc: hex(ENC), secret: hex('62d87a6ba569ee81014c2641f52bea36') }

const keys = new Map([[1, PRIVATE_KEY]])
const config = (aead: Aead): KeyConfig => ({ id: 1, publicKey: hex(PUBLIC_KEY), aeads: [aead] })
const listOf = (...configs: string[]) => hex(configs.map((one) => (one.length / 2).toString(16).padStart(4, '0') + one).join(''))

function flipped(message: Uint8Array, at: number, mask: number): Uint8Array {
  const changed = message.slice()
  changed[at]! ^= mask
  return changed
}

/** Every way to cut `message` short, to lengthen it by a byte, and to change some bits of one byte. */
function* spoilt(message: Uint8Array, masks: readonly number[]): Iterable<Uint8Array> {
  for (let length = 0; length < message.length; length++) yield message.subarray(0, length)
  yield Uint8Array.of(...message, 0)
  for (let at = 0; at < message.length; at++) for (const mask of masks) yield flipped(message, at, mask)
}

describe('the example of RFC 9458 appendix A', () => {
  it('has the key configuration that ours is', () => {
    const value = [{ id: 1, publicKey: hex(PUBLIC_KEY), aeads: AEADS }]
    expect(decodeKeyConfigs(listOf(CONFIG))).toEqual({ kind: 'decoded', value })
    expect(hexOf(encodeKeyConfigs(value))).toBe(`002d${CONFIG}`)
    expect(hexOf(publicKeyOf(PRIVATE_KEY))).toBe(PUBLIC_KEY)
  })
  it('has a request that opens', async () => {
    expect(hexOf((await decapsulateRequest(keys, hex(ENCAPSULATED_REQUEST)))?.request)).toBe(REQUEST)
  })
  it('has the response that ours is, with its nonce', () => {
    expect(hexOf(encapsulateResponse(SECRET, hex(NONCE), hex(RESPONSE)))).toBe(ENCAPSULATED_RESPONSE)
    expect(hexOf(decapsulateResponse(SECRET, hex(ENCAPSULATED_RESPONSE)))).toBe(RESPONSE)
  })
  it('has the secret that ours is: who knows it opens our answer', async () => {
    const opened = await decapsulateRequest(keys, hex(ENCAPSULATED_REQUEST))
    expect(hexOf(decapsulateResponse(SECRET, opened!.sealResponse(hex('00ff'))))).toBe('00ff')
  })
})

describe('a key configuration list', () => {
  const configs = fc.array(
    fc.record({
      id: fc.nat(255),
      publicKey: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(publicKeyOf),
      aeads: fc.uniqueArray(fc.constantFrom(...AEADS), { minLength: 1 }),
    }),
    { maxLength: 5 },
  )
  it('comes back', () => {
    fc.assert(fc.property(configs, (value) => expect(decodeKeyConfigs(encodeKeyConfigs(value))).toEqual({ kind: 'decoded', value })))
  })
  it.each([
    ['another KEM', listOf('070010', CONFIG)],
    ['an algorithm twice, and others', listOf(`010020${PUBLIC_KEY}0018000100010001000100010002000200010001ffff00010003`)],
    ['no AEAD that is known', listOf(`020020${PUBLIC_KEY}000400010002`, CONFIG)],
    ['no KDF that is known', listOf(`020020${PUBLIC_KEY}000400020001`, CONFIG)],
  ])('is decoded without what is not known: %s', (_what, list) => {
    expect(decodeKeyConfigs(list)).toEqual({ kind: 'decoded', value: [{ id: 1, publicKey: hex(PUBLIC_KEY), aeads: AEADS }] })
  })
  it.each([
    ['no algorithms', listOf(`010020${PUBLIC_KEY}0000`)],
    ['half an algorithm', listOf(`010020${PUBLIC_KEY}0006000100010001`)],
    ['a byte after the algorithms', listOf(`${CONFIG}00`)],
    ['an algorithm after the algorithms', listOf(`${CONFIG}00010001`)],
    ['a key of small order', listOf(`010020${'00'.repeat(32)}000400010001`)],
    ['an empty configuration', hex('0000')],
    ['more configurations than anybody has', listOf(...Array.from({ length: 65 }, () => '010010'))],
  ])('is malformed with %s', (_what, list) => {
    expect(decodeKeyConfigs(list).kind).toBe('malformed')
  })
  it('is malformed if it is cut short anywhere but between two', () => {
    const list = listOf(CONFIG, CONFIG)
    for (let length = 0; length < list.length; length++) {
      expect(decodeKeyConfigs(list.subarray(0, length)).kind).toBe(length % 47 === 0 ? 'decoded' : 'malformed')
    }
  })
  it('never makes the decoder throw', () => {
    fc.assert(fc.property(bytes(200), (list) => void decodeKeyConfigs(list)))
    for (const list of spoilt(listOf(CONFIG), [1, 2, 4, 8, 16, 32, 64, 128])) decodeKeyConfigs(list)
  })
  it('is not encoded with what is no key, no id or no algorithm', () => {
    expect(() => encodeKeyConfigs([{ ...config('aes-128-gcm'), publicKey: new Uint8Array(31) }])).toThrow(RangeError)
    expect(() => encodeKeyConfigs([{ ...config('aes-128-gcm'), id: 256 }])).toThrow(RangeError)
    expect(() => encodeKeyConfigs([{ ...config('aes-128-gcm'), aeads: [] }])).toThrow(RangeError)
  })
})

describe.each(AEADS)('with %s', (aead) => {
  it('a request and its answers come through', async () => {
    const property = fc.asyncProperty(bytes(300), bytes(300), async (request, response) => {
      const sent = await encapsulateRequest(config(aead), request)
      const opened = await decapsulateRequest(keys, sent!.message)
      expect(opened?.request).toEqual(request)
      const [first, second] = [opened!.sealResponse(response), opened!.sealResponse(response)]
      expect(sent!.openResponse(first)).toEqual(response)
      expect(sent!.openResponse(second)).toEqual(response)
      expect(first).not.toEqual(second)
    })
    await fc.assert(property, { numRuns: 25 })
  })
  it('a message has the size of its request and 55 bytes, a response that of its own, a nonce as long as a key, and 16', async () => {
    const sent = await encapsulateRequest(config(aead), new Uint8Array(100))
    expect(sent!.message).toHaveLength(100 + 7 + 32 + 16)
    const opened = await decapsulateRequest(keys, sent!.message)
    expect(opened!.sealResponse(new Uint8Array(50))).toHaveLength(50 + { 'aes-128-gcm': 16, 'chacha20-poly1305': 32 }[aead] + 16)
  })
  it('a message does not open cut short, longer, changed in any byte, or with another key', async () => {
    const { message } = (await encapsulateRequest(config(aead), randomBytes(20)))!
    for (const other of spoilt(message, [0x01, 0x80])) expect(await decapsulateRequest(keys, other)).toBeUndefined()
    expect(await decapsulateRequest(new Map([[1, randomBytes(32)]]), message)).toBeUndefined()
  })
  it('a message does not open under another id, though it be the same key', async () => {
    const { message } = (await encapsulateRequest(config(aead), randomBytes(20)))!
    const both = new Map([...keys, [2, PRIVATE_KEY]])
    expect(await decapsulateRequest(both, message)).toBeDefined()
    expect(await decapsulateRequest(both, Uint8Array.of(2, ...message.subarray(1)))).toBeUndefined()
  })
  it('a response does not open cut short, longer, changed in any byte, or as the answer to another request', async () => {
    const sent = (await encapsulateRequest(config(aead), new Uint8Array()))!
    const other = (await encapsulateRequest(config(aead), new Uint8Array()))!
    const response = (await decapsulateRequest(keys, sent.message))!.sealResponse(randomBytes(20))
    expect(sent.openResponse(response)).toBeDefined()
    for (const wrong of spoilt(response, [1, 2, 4, 8, 16, 32, 64, 128])) expect(sent.openResponse(wrong)).toBeUndefined()
    expect(other.openResponse(response)).toBeUndefined()
  })
})

describe('a request', () => {
  it('is for the AEAD that the gateway likes best', async () => {
    const { message } = (await encapsulateRequest(
      { ...config('aes-128-gcm'), aeads: ['chacha20-poly1305', 'aes-128-gcm'] },
      new Uint8Array(),
    ))!
    expect(hexOf(message.subarray(0, 7))).toBe('01002000010003')
  })
  it('cannot be for a key of small order, of another length, or for no AEAD', async () => {
    const usable = config('aes-128-gcm')
    for (const publicKey of [new Uint8Array(32), new Uint8Array(31)]) {
      expect(await encapsulateRequest({ ...usable, publicKey }, new Uint8Array())).toBeUndefined()
    }
    expect(await encapsulateRequest({ ...usable, aeads: [] }, new Uint8Array())).toBeUndefined()
  })
  it('cannot come from a point of small order', async () => {
    const message = hex(ENCAPSULATED_REQUEST)
    message.fill(0, 7, 39)
    expect(await decapsulateRequest(keys, message)).toBeUndefined()
  })
  it.each(['01002100010001', '01002000020001', '01002000010002'])(
    'cannot have the header %s, whatever it is sealed with',
    async (header) => {
      const hpke = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() })
      const recipientPublicKey = await hpke.kem.deserializePublicKey(hex(PUBLIC_KEY).buffer)
      const sealedFor = async (header: string) => {
        const info = Uint8Array.of(...Buffer.from('message/bhttp request\0'), ...hex(header)).buffer
        const { enc, ct } = await hpke.seal({ recipientPublicKey, info }, hex(REQUEST).buffer)
        return Uint8Array.of(...hex(header), ...new Uint8Array(enc), ...new Uint8Array(ct))
      }
      expect(await decapsulateRequest(keys, await sealedFor('01002000010001'))).toBeDefined()
      expect(await decapsulateRequest(keys, await sealedFor(header))).toBeUndefined()
    },
  )
  it('may be in memory that is used again before it is answered', async () => {
    const sent = (await encapsulateRequest(config('aes-128-gcm'), new Uint8Array()))!
    const memory = sent.message.slice()
    const opened = (await decapsulateRequest(keys, memory))!
    memory.fill(0)
    expect(hexOf(sent.openResponse(opened.sealResponse(hex(RESPONSE))))).toBe(RESPONSE)
  })
  it('shows a private key of a wrong length as the mistake of the server that it is', async () => {
    await expect(decapsulateRequest(new Map([[1, new Uint8Array(31)]]), hex(ENCAPSULATED_REQUEST))).rejects.toThrow(RangeError)
  })
  it('of any bytes makes nothing throw', async () => {
    const header = fc.constantFrom(hex('01002000010001'), hex('01002000010003'), new Uint8Array())
    const property = fc.asyncProperty(header, bytes(100), async (start, rest) => {
      expect(await decapsulateRequest(keys, Uint8Array.of(...start, ...rest))).toBeUndefined()
    })
    await fc.assert(property, { numRuns: 60 })
  })
})
