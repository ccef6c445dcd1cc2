import { describe, expect, it } from '@jest/globals'
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { decodeBinaryRequest, encodeBinaryResponse } from './binary-http.js'
import { encodeKeyConfigs, openRequest, sealResponse, type GatewayKey } from './gateway.js'

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** RFC 9458 appendix A. */
const KEY: GatewayKey = { id: 1, privateKey: hex('3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a') }
const REQUEST = '00034745540568747470730b6578616d706c652e636f6d012f'
const ENC = '4b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b472'
const ENCAPSULATED = `01002000010001${ENC}6374e469135906992e1268c594d2a10c695d858c40a026e7965e7d86b83dd440b2c0185204b4d63525`
const NONCE = 'c789e7151fcba46158ca84b04464910d'
const RESPONSE = `${NONCE}86f9013e404feea014e7be4a441f234f857fbd`

describe('the example of RFC 9458 appendix A', () => {
  it('has our key configuration, but for the one algorithm that we do not offer', () => {
    const config = '01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155000400010001'
    expect(hexOf(encodeKeyConfigs([KEY]))).toBe(`0029${config}`)
  })
  it('has a request that opens', async () => {
    const opened = await openRequest([KEY], hex(ENCAPSULATED))
    expect(hexOf(opened?.request ?? new Uint8Array())).toBe(REQUEST)
  })
  it('has the response that ours is, with its nonce', async () => {
    const hpke = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() })
    const recipientKey = await hpke.kem.deserializePrivateKey(KEY.privateKey.buffer)
    const info = Buffer.concat([Buffer.from('message/bhttp request\0'), hex('01002000010001')])
    const context = await hpke.createRecipientContext({ recipientKey, enc: hex(ENC).buffer, info: new Uint8Array(info).buffer })
    expect(hexOf(await sealResponse(context, hex(ENC), hex('0140c8'), hex(NONCE)))).toBe(RESPONSE)
  })
  it('does not open cut short, changed in any byte, or with another key', async () => {
    const message = hex(ENCAPSULATED)
    for (let length = 0; length < message.length; length++) expect(await openRequest([KEY], message.subarray(0, length))).toBeUndefined()
    for (let index = 0; index < message.length; index++) {
      const changed = new Uint8Array(message)
      changed[index]! ^= 0x10
      expect(await openRequest([KEY], changed)).toBeUndefined()
    }
    expect(await openRequest([{ ...KEY, privateKey: new Uint8Array(32).fill(7) }], message)).toBeUndefined()
    expect(await openRequest([{ ...KEY, id: 2 }], message)).toBeUndefined()
  })
})

describe('binary HTTP', () => {
  const field = (text: string) => Buffer.concat([Buffer.of(text.length), Buffer.from(text)])
  const request = ({ lines = [field('te'), field('x')], content = field('body'), tail = Buffer.alloc(0) } = {}) => {
    const headers = Buffer.concat(lines)
    const control = [field('POST'), field('https'), field('a.example'), field('/x')]
    return new Uint8Array(Buffer.concat([Buffer.of(0), ...control, Buffer.of(headers.length), headers, content, tail]))
  }

  it('has its parts', () => {
    const value = { method: 'POST', path: '/x', headers: { te: 'x' }, content: new Uint8Array(Buffer.from('body')) }
    expect(decodeBinaryRequest(request())).toEqual({ kind: 'decoded', value })
    expect(decodeBinaryRequest(request({ tail: Buffer.alloc(100) }))).toEqual({ kind: 'decoded', value })
  })
  it.each([
    ['padding that is not zero', request({ tail: Buffer.of(0, 0, 1) })],
    ['trailers', request({ tail: Buffer.of(4, 1, 97, 1, 98) })],
    ['a field twice', request({ lines: [field('te'), field('x'), field('te'), field('x')] })],
    ['a field in upper case', request({ lines: [field('TE'), field('x')] })],
    ['a line break in a field', request({ lines: [field('te'), field('x\r\ny: z')] })],
    ['a pseudo-field', request({ lines: [field(':path'), field('/y')] })],
    ['no value', request({ lines: [field('te')] })],
    ['another framing', Uint8Array.of(2, ...request().subarray(1))],
    ['nothing', new Uint8Array()],
  ])('with %s is malformed', (_what, bytes) => {
    expect(decodeBinaryRequest(bytes).kind).toBe('malformed')
  })
  it('cut short anywhere is malformed', () => {
    const bytes = request()
    for (let length = 0; length < bytes.length; length++) expect(decodeBinaryRequest(bytes.subarray(0, length)).kind).toBe('malformed')
  })
  it('writes a response', () => {
    const bytes = encodeBinaryResponse({ status: 404, headers: { a: 'b' }, content: Buffer.from('no') })
    expect(hexOf(bytes)).toBe('0141940401610162026e6f00')
  })
})
