import { createPublicKey, createSecretKey } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { KEYS, VECTORS, type Vector } from '../../../test/support/rfc9421-vectors.js'
import { verifyBase } from './algorithms.js'
import { componentValue, signatureBase } from './signature-base.js'
import { checkContentDigest, contentDigest } from './content-digest.js'
import type { HttpMessage } from './message.js'
import { signatureFields } from './signature-fields.js'

/** A message from its text as the RFC prints it. */
function messageOf(text: string): HttpMessage {
  const [start = '', ...lines] = text.split('\n')
  const headers: Record<string, string[]> = {}
  for (const line of lines) {
    const [name = '', ...value] = line.split(':')
    ;(headers[name.toLowerCase()] ??= []).push(value.join(':').trim())
  }
  const [first = '', second = ''] = start.split(' ')
  const request = { method: first, targetUri: `https://${headers['host']?.[0]}${second}`, headers }
  return first.startsWith('HTTP/') ? { status: Number(second), headers, request: { method: 'GET', targetUri: '', headers: {} } } : request
}

function keyOf({ key }: Vector) {
  const bytes = Buffer.from(KEYS[key], 'base64')
  return key === 'secret' ? createSecretKey(bytes) : createPublicKey({ key: bytes, format: 'der', type: 'spki' })
}

describe('the test cases of RFC 9421', () => {
  it.each(VECTORS)('$section verify, or do not', (vector) => {
    const message = messageOf(vector.message)
    const fields = signatureFields(message.headers)
    if (fields.kind !== 'found') throw new Error(fields.kind)
    const [found] = fields.signatures
    const base = signatureBase(message, found!.input)
    if (base.kind !== 'base') throw new Error(base.why)
    if (vector.base !== undefined) expect(Buffer.from(base.bytes).toString()).toBe(vector.base)
    expect(verifyBase(vector.algorithm, keyOf(vector), base.bytes, found!.signature)).toBe(vector.valid)
  })
})

describe('components', () => {
  const message = messageOf(
    'GET /path?param=value&a=1&a=2&%62=x HTTP/1.1\nHost: www.Example.com:443\nX-OWS:   Leading and trailing whitespace.  \n' +
      'Cache-Control: max-age=60\nCache-Control: must-revalidate\nExample-Dict: a=1,    b=2;x=1;y=2,   c=(a   b   c)\nX-Empty:',
  )
  it.each<[string, [string, string | boolean][], string | undefined]>([
    ['@authority', [], 'www.example.com'],
    ['@scheme', [], 'https'],
    ['@request-target', [], '/path?param=value&a=1&a=2&%62=x'],
    ['@path', [], '/path'],
    ['@query', [], '?param=value&a=1&a=2&%62=x'],
    ['@query-param', [['name', 'param']], 'value'],
    ['@query-param', [['name', 'a']], undefined],
    ['@query-param', [], undefined],
    ['@status', [], undefined],
    ['@method', [['req', true]], undefined],
    ['@unknown', [], undefined],
    ['x-ows', [], 'Leading and trailing whitespace.'],
    ['cache-control', [], 'max-age=60, must-revalidate'],
    ['cache-control', [['bs', true]], ':bWF4LWFnZT02MA==:, :bXVzdC1yZXZhbGlkYXRl:'],
    ['cache-control', [['sf', true]], undefined],
    ['example-dict', [['sf', true]], 'a=1, b=2;x=1;y=2, c=(a b c)'],
    ['example-dict', [['key', 'b']], '2;x=1;y=2'],
    ['example-dict', [['key', 'c']], '(a b c)'],
    ['example-dict', [['key', 'd']], undefined],
    ['x-empty', [], ''],
    ['X-Empty', [], undefined],
    ['constructor', [], undefined],
    ['x-missing', [], undefined],
    ['x-ows', [['tr', true]], undefined],
  ])('%s %j is %j (RFC 9421 §2)', (name, parameters, value) => {
    expect(componentValue(message, { name, parameters: new Map(parameters) })).toBe(value)
  })

  it.each([
    ['\t  a  b \t', 'a  b'],
    ['a \t\n\t b', 'a b'],
    ['a\r\n \r\n b', 'a  b'],
    ['  \t ', ''],
    ['\n\t a\r\n ', 'a'],
    ['a\nb ', 'a\nb'],
  ])('the field %j is %j: folded lines are one, and blanks at the ends are none of it (RFC 9421 §2.1)', (line, value) => {
    expect(componentValue({ ...message, headers: { 'x-field': line } }, { name: 'x-field', parameters: new Map() })).toBe(value)
  })

  it('of an empty path and query are / and ?', () => {
    const bare = { method: 'GET', targetUri: 'https://example.com', headers: {} }
    expect(componentValue(bare, { name: '@path', parameters: new Map() })).toBe('/')
    expect(componentValue(bare, { name: '@query', parameters: new Map() })).toBe('?')
  })
})

describe('Content-Digest (RFC 9530)', () => {
  const body = Buffer.from('{"hello": "world"}')
  const sha512 = 'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:'
  it('is that of the RFCs, and our own', async () => {
    expect(contentDigest(body)).toBe('sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:')
    expect(await checkContentDigest({ 'content-digest': sha512 }, body)).toBe('matches')
    expect(await checkContentDigest({ 'content-digest': [contentDigest(body), sha512] }, body)).toBe('matches')
    const large = Buffer.alloc(200_000, 'x')
    expect(await checkContentDigest({ 'content-digest': contentDigest(large) }, large)).toBe('matches')
    expect(await checkContentDigest({ 'content-digest': contentDigest(large) }, large.subarray(1))).toBe('mismatch')
  })
  it.each([
    ['one of two does not match', `${contentDigest(Buffer.from('x'))}, ${sha512}`, 'mismatch'],
    ['it is no dictionary', 'sha-256=:', 'mismatch'],
    ['it is no byte sequence', 'sha-256=12', 'mismatch'],
    ['no algorithm is known', 'md5=:AAAA:', 'missing'],
    ['there is none', undefined, 'missing'],
  ])('is refused where %s', async (_why, field, verdict) => {
    expect(await checkContentDigest({ 'content-digest': field }, body)).toBe(verdict)
  })
})
