import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { HttpRequestMessage } from './message.js'
import { isFresh, MAX_COMPONENTS } from './profile.js'
import { MAX_SIGNATURES } from './signature-fields.js'
import { requestSignature, signRequest, type UnsignedRequest } from './signed-request.js'
import { responseSignature, signResponse } from './signed-response.js'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const KEY = { domain: 'a.example', keyId: 'k1', privateKey }
const TIMES = { created: 1_000, expires: 1_060, nonce: 'abcdefghijklmnop' }
const REQUEST: UnsignedRequest = {
  method: 'POST',
  targetUri: 'https://mimi.b.example/update/room?x=1',
  target: 'b.example',
  content: { body: Buffer.from('body'), contentType: 'application/mimi' },
}

function signed(request = REQUEST, times = TIMES, key = KEY): HttpRequestMessage {
  return { method: request.method, targetUri: request.targetUri, headers: signRequest(request, key, times) }
}

describe('a signed request', () => {
  it('says who signed it and verifies with the key', () => {
    const claimed = requestSignature(signed(), true)
    expect(claimed).toMatchObject({ kind: 'claimed', domain: 'a.example', keyId: 'k1', ...TIMES })
    expect(claimed.kind === 'claimed' && claimed.verify(publicKey)).toBe('valid')
    expect(claimed.kind === 'claimed' && claimed.verify(generateKeyPairSync('ed25519').publicKey)).toBe('invalid')
    expect(claimed.kind === 'claimed' && claimed.verify(generateKeyPairSync('x25519').publicKey)).toBe('invalid')
  })

  it('needs no digest without a body', () => {
    const { content: _content, ...bare } = REQUEST
    const claimed = requestSignature(signed(bare), false)
    expect(claimed.kind === 'claimed' && claimed.verify(publicKey)).toBe('valid')
  })

  it.each<[string, Partial<HttpRequestMessage>]>([
    ['the method', { method: 'PUT' }],
    ['the authority', { targetUri: 'https://c.example/update/room?x=1' }],
    ['the path', { targetUri: 'https://mimi.b.example/update/other?x=1' }],
    ['the query', { targetUri: 'https://mimi.b.example/update/room?x=2' }],
    ['the target', { headers: { ...signed().headers, 'mimi-target': 'c.example' } }],
    ['the digest', { headers: { ...signed().headers, 'content-digest': 'sha-256=:AAAA:' } }],
    ['the media type', { headers: { ...signed().headers, 'content-type': 'text/plain' } }],
  ])('does not verify with %s changed', (_what, change) => {
    const claimed = requestSignature({ ...signed(), ...change }, true)
    expect(claimed.kind === 'claimed' && claimed.verify(publicKey)).toBe('invalid')
  })

  const edited = (edit: (input: string) => string): HttpRequestMessage => {
    const message = signed()
    return { ...message, headers: { ...message.headers, 'signature-input': edit(String(message.headers['signature-input'])) } }
  }
  const numbered = (count: number) => Array.from({ length: count }, (_, index) => `"n${index}"`)
  it.each([
    ['signature-missing', { ...signed(), headers: {} }],
    ['signature-missing', edited((input) => input.replace('mimi-request', 'other'))],
    ['signature-malformed', edited((input) => input.replace('mimi=', 'other='))],
    ['signature-malformed', { ...signed(), headers: { ...signed().headers, signature: undefined } }],
    ['signature-malformed', { ...signed(), headers: { ...signed().headers, signature: 'mimi=("x")' } }],
    ['signature-malformed', edited(() => '(((')],
    ['signature-malformed', edited(() => `mimi=("a");x="${'y'.repeat(9_000)}"`)],
    ['signature-malformed', edited((input) => input.replace('created=1000;', ''))],
    ['signature-malformed', edited((input) => input.replace('"@method"', '"@method" "@method"'))],
    ['signature-malformed', edited((input) => input.replace('"@method"', '"@method" "@query-param";name="x"'))],
    ['signature-malformed', edited((input) => input.replace('"@method"', '"@method" "from";bs'))],
    ['signature-malformed', edited((input) => input.replace('"@method"', '"@method" "signature";key="other";req'))],
    ['signature-malformed', edited((input) => input.replace('"@method"', `"@method" ${numbered(MAX_COMPONENTS).join(' ')}`))],
    [
      'signature-malformed',
      edited(
        (input) =>
          `${numbered(MAX_SIGNATURES)
            .map((name) => `${name.slice(1, -1)}=("a")`)
            .join(', ')}, ${input}`,
      ),
    ],
    ['component-not-covered', edited((input) => input.replace('"@query" ', ''))],
    ['component-not-covered', edited((input) => input.replace(' "content-digest"', ''))],
    ['algorithm-unsupported', edited((input) => input.replace('"ed25519"', '"hmac-sha256"'))],
    ['key-id-malformed', edited((input) => input.replace('"a.example/k1"', '"a.example"'))],
    ['key-id-malformed', edited((input) => input.replace('"a.example/k1"', '"A.example/k1"'))],
    ['from-mismatch', { ...signed(), headers: { ...signed().headers, from: 'mimi@c.example' } }],
    ['signature-too-long-lived', edited((input) => input.replace('expires=1060', 'expires=1301'))],
    ['signature-too-long-lived', edited((input) => input.replace('expires=1060', 'expires=1000'))],
    ['nonce-malformed', edited((input) => input.replace('abcdefghijklmnop', 'short'))],
  ])('is refused as %s', (fault, message) => {
    expect(requestSignature(message, true)).toMatchObject({ kind: 'faulty', fault })
  })

  it('says which component it has not, to those who are let in', () => {
    const claimed = requestSignature(
      edited((input) => input.replace('"@method"', '"@method" "x-absent"')),
      true,
    )
    expect(claimed.kind === 'claimed' && claimed.verify(publicKey)).toEqual({ why: 'the message has no component "x-absent".' })
  })

  it('is found among other signatures, and may cover more', () => {
    const message = edited((input) => `other=("@method");tag="mimi-request", ${input}`)
    const headers = { ...message.headers, signature: `other=:AAAA:, ${String(message.headers['signature'])}` }
    const claimed = requestSignature({ ...message, headers }, true)
    expect(claimed.kind === 'claimed' && claimed.verify(publicKey)).toBe('valid')
  })

  it('never throws, whatever the fields are', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('mimi=("@method")', 'mimi=:AA==:', 'mimi=("a";bs;sf);tag="mimi-request"'),
    )
    fc.assert(
      fc.property(text, text, text, (input, signature, from) => {
        const headers = { 'signature-input': input, signature, from }
        expect(requestSignature({ method: 'POST', targetUri: from, headers }, true).kind).toBe('faulty')
      }),
    )
  })
})

describe('a signed response', () => {
  const request = signed()
  const content = { body: Buffer.from('answer'), contentType: 'application/mimi' }
  const response = (to = request) => ({
    status: 200,
    request: to,
    headers: signResponse({ status: 200, target: 'a.example', content, request: to }, { ...KEY, domain: 'b.example' }, TIMES),
  })
  const verifies = (message: ReturnType<typeof response>) => {
    const claimed = responseSignature(message, true)
    return claimed.kind === 'claimed' && claimed.verify(publicKey) === 'valid'
  }

  it('verifies for its request, with its status, and for no other', () => {
    expect(verifies(response())).toBe(true)
    expect(verifies({ ...response(), status: 201 })).toBe(false)
    const again = signed(REQUEST, { ...TIMES, nonce: 'ponmlkjihgfedcba' })
    expect(verifies({ ...response(), request: again })).toBe(false)
    expect(verifies({ ...response(), request: { ...request, method: 'PUT' } })).toBe(false)
  })

  it('has to cover the signature of its request', () => {
    const unsigned = { ...request, headers: {} }
    expect(responseSignature({ ...response(unsigned), request }, true)).toMatchObject({ fault: 'component-not-covered' })
  })
})

describe('the time of a signature', () => {
  it.each([
    [1_000, true],
    [971, true],
    [969, false],
    [1_090, true],
    [1_091, false],
  ])('is at %i now: %s', (now, fresh) => {
    expect(isFresh({ created: 1_000, expires: 1_060 }, now, 30)).toBe(fresh)
  })
})
