import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { genericBatched, publicVerif, TOKEN_TYPES, TokenChallenge, WWWAuthenticateHeader } from '@cloudflare/privacypass-ts'
import { describe, expect, it } from '@jest/globals'
import { challengeDigest, challengeField, isAuthentic, presentedToken, tokenChallenge } from './token.js'
import { blindSign, decodeBatchRequest, decodeTokenRequest, encodeBatchRequest, encodeBatchResponse } from './issuance.js'
import { generateIssuerKey, readTokenKey, tokenKeyOf } from './issuer-key.js'

/** RFC 9578 appendix A.2; hexadecimal, keys as PEM in hexadecimal. */
interface Vector {
  skS: string
  pkS: string
  token_challenge: string
  nonce: string
  token_request: string
  token_response: string
  token: string
}
const vectors = JSON.parse(readFileSync(new URL('../../../test/support/rfc9578-vectors.json', import.meta.url), 'utf8')) as Vector[]
const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const field = (token: Uint8Array) => `PrivateToken token="${Buffer.from(token).toString('base64url')}"`

describe.each(vectors.map((vector, index) => [index + 1, vector] as const))('vector %i of RFC 9578 appendix A.2', (_index, vector) => {
  const privateKey = createPrivateKey(Buffer.from(vector.skS, 'hex').toString('utf8'))

  it('has the token key that ours would be published as', () => {
    const { tokenKey, keyId, truncatedId } = tokenKeyOf(createPublicKey(privateKey))
    expect(tokenKey).toEqual(hex(vector.pkS))
    expect(hex(vector.token).subarray(66, 98)).toEqual(keyId)
    expect(decodeTokenRequest(hex(vector.token_request))).toMatchObject({ kind: 'decoded', value: { truncatedKeyId: truncatedId } })
  })
  it('has the blind signature that ours is', () => {
    const decoded = decodeTokenRequest(hex(vector.token_request))
    if (decoded.kind === 'malformed') throw new Error(decoded.reason)
    expect(blindSign(privateKey, decoded.value.blindedMessage)).toEqual(hex(vector.token_response))
  })
  it('has a token that is read and verifies', async () => {
    const token = presentedToken(field(hex(vector.token)))
    const key = readTokenKey(hex(vector.pkS))
    if (!token || !key) throw new Error('not read')
    expect(token.nonce).toEqual(hex(vector.nonce))
    expect(token.challengeDigest).toEqual(new Uint8Array(createHash('sha256').update(hex(vector.token_challenge)).digest()))
    expect(await isAuthentic(token, key)).toBe(true)
    const { publicKey } = await generateIssuerKey()
    expect(await isAuthentic(token, publicKey)).toBe(false)
  })
})

describe('an Authorization field', () => {
  const token = hex(vectors[0]?.token ?? '')
  const text = Buffer.from(token).toString('base64url')
  it.each([
    ['unquoted', `PrivateToken token=${text}`],
    ['with another case of the scheme', `privatetoken token="${text}"`],
    ['padded', `PrivateToken token="${Buffer.from(token).toString('base64').replaceAll('+', '-').replaceAll('/', '_')}"`],
  ])('is read %s', (_how, value) => {
    expect(presentedToken(value)?.authenticator).toHaveLength(256)
  })
  it.each([
    ['nothing', undefined],
    ['another scheme', `Bearer ${text}`],
    ['a byte less', field(token.subarray(1))],
    ['a byte more', field(Uint8Array.of(...token, 0))],
    ['another type', field(Uint8Array.of(0, 1, ...token.subarray(2)))],
    ['another parameter', `PrivateToken token="${text}", extensions="AA"`],
    ['one quote', `PrivateToken token="${text}`],
    ['an endless value', `PrivateToken token="${'A'.repeat(100_000)}"`],
  ])('of %s is no token', (_what, value) => {
    expect(presentedToken(value)).toBeUndefined()
  })
})

describe('a request for tokens', () => {
  const request = { truncatedKeyId: 7, blindedMessage: new Uint8Array(256).fill(1) }

  it('in a batch is what the library writes and reads', () => {
    const theirs = new genericBatched.TokenRequest(new publicVerif.TokenRequest(7, request.blindedMessage, TOKEN_TYPES.BLIND_RSA))
    const bytes = new genericBatched.BatchedTokenRequest([theirs, theirs]).serialize()
    expect(encodeBatchRequest([request, request])).toEqual(bytes)
    expect(decodeBatchRequest(bytes, 2)).toEqual({ kind: 'decoded', value: [request, request] })
    const [first] = genericBatched.GenericBatchTokenResponse.deserialize(encodeBatchResponse([request.blindedMessage])).tokenResponses
    expect(first?.tokenResponse).toEqual(new publicVerif.TokenResponse(request.blindedMessage))
  })
  it('is refused cut short, too long, too many, or of another type', () => {
    const bytes = encodeBatchRequest([request, request])
    for (let length = 0; length < bytes.length; length++) expect(decodeBatchRequest(bytes.subarray(0, length), 2).kind).toBe('malformed')
    expect(decodeBatchRequest(Uint8Array.of(...bytes, 0), 2).kind).toBe('malformed')
    expect(decodeBatchRequest(bytes, 1).kind).toBe('malformed')
    expect(decodeTokenRequest(Uint8Array.of(0, 1, ...new Uint8Array(257))).kind).toBe('malformed')
  })
  it('is not signed if it is no number below the modulus', async () => {
    const { privateKey } = await generateIssuerKey()
    expect(blindSign(privateKey, new Uint8Array(256).fill(255))).toBeUndefined()
    expect(blindSign(privateKey, new Uint8Array(256))).toEqual(new Uint8Array(256))
  })
})

describe('the challenge', () => {
  it('names this provider as issuer and origin and nothing else, and can be read back', async () => {
    const { publicKey } = await generateIssuerKey()
    const { tokenKey } = tokenKeyOf(publicKey)
    const [first, second] = WWWAuthenticateHeader.parse(challengeField('a.example', [tokenKey, tokenKey]))
    expect(second?.tokenKey).toEqual(tokenKey)
    expect(first?.challenge).toEqual(new TokenChallenge(2, 'a.example', new Uint8Array(), ['a.example']))
    const bytes = tokenChallenge('a.example').serialize()
    expect(challengeDigest('a.example')).toEqual(new Uint8Array(createHash('sha256').update(bytes).digest()))
    expect(Buffer.from(bytes).toString('hex')).toBe('00020009612e6578616d706c65000009612e6578616d706c65')
  })
  it('has a key that can verify, or it is passed over', () => {
    expect(readTokenKey(new Uint8Array(300))).toBeUndefined()
  })
})
