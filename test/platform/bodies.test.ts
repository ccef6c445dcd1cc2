import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { decode, encode } from 'cborg'
import { EchoModule } from '../support/echo.js'
import { sendRaw } from '../support/raw-http.js'
import { startServer, type TestServer } from '../support/server.js'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ MAX_BODY_BYTES: '2MiB' }, { root: EchoModule })
})
afterAll(() => server.close())

const JSON_TYPE = 'application/json'
const CBOR_TYPE = 'application/cbor'
const post = (type: string | undefined, body: string | Uint8Array, path = '/v1/echo/AQID', headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    body: Buffer.from(body),
    headers: { ...(type ? { 'content-type': type } : {}), ...headers },
  })
const problemOf = async (response: Response) => {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  const problem = (await response.json()) as Record<string, unknown>
  expect(problem).toMatchObject({ status: response.status, title: expect.any(String), detail: expect.any(String) })
  expect(problem['instance']).toBe(`urn:request:${response.headers.get('x-request-id')}`)
  return problem
}

describe('the three forms of a body', () => {
  it.each([
    ['JSON', JSON_TYPE, '{"message":"_w","epoch":7}'],
    ['CBOR', CBOR_TYPE, encode({ message: new Uint8Array([255]), epoch: 7 })],
  ])('%s', async (_name, type, body) => {
    const response = await post(type, body)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ group_id: 'AQID', message: '_w', epoch: 7, at: 1 })
  })
  it('one message as it is', async () => {
    expect(await (await post('message/mls', new Uint8Array([255]))).json()).toMatchObject({ message: '_w', epoch: 0 })
  })
  it('CBOR comes back where it is accepted, with bytes as byte strings', async () => {
    const response = await post(JSON_TYPE, '{"message":"_w"}', undefined, { accept: 'application/cbor' })
    expect(response.headers.get('content-type')).toBe('application/cbor')
    expect(response.headers.get('vary')).toBe('accept')
    expect(decode(new Uint8Array(await response.arrayBuffer()))).toEqual({
      group_id: new Uint8Array([1, 2, 3]),
      message: new Uint8Array([255]),
      epoch: 0,
      at: 1,
    })
  })
})

describe('a hostile body gets its problem, never a 500', () => {
  it.each([
    ['JSON cut short', JSON_TYPE, '{"message":"_w"', 400],
    ['no JSON', JSON_TYPE, 'hello', 400],
    ['nothing', JSON_TYPE, '', 400],
    ['null', JSON_TYPE, 'null', 400],
    ['an array', JSON_TYPE, '[]', 400],
    ['an unknown field', JSON_TYPE, '{"message":"_w","mesage":1}', 400],
    ['a missing field', JSON_TYPE, '{}', 400],
    ['a duplicate field', JSON_TYPE, '{"message":"_w","message":"_w"}', 400],
    ['__proto__', JSON_TYPE, '{"message":"_w","__proto__":{"epoch":1}}', 400],
    ['constructor.prototype', JSON_TYPE, '{"message":"_w","constructor":{"prototype":{"a":1}}}', 400],
    ['bytes that are not UTF-8', JSON_TYPE, new Uint8Array([0x7b, 0xff, 0x7d]), 400],
    ['deep nesting', JSON_TYPE, '['.repeat(100_000), 400],
    ['padded base64', JSON_TYPE, '{"message":"_w=="}', 400],
    ['a text number', JSON_TYPE, '{"message":"_w","epoch":"7"}', 400],
    ['a number past 2^53', JSON_TYPE, '{"message":"_w","epoch":9007199254740992}', 400],
    ['a negative epoch', JSON_TYPE, '{"message":"_w","epoch":-1}', 400],
    ['a field past its limit', JSON_TYPE, JSON.stringify({ message: 'A'.repeat(2_000) }), 413],
    ['a body past the limit', JSON_TYPE, Buffer.alloc(2 * 1024 ** 2 + 1, 0x20), 413],
    ['CBOR with a tag', CBOR_TYPE, Buffer.from('c0a0', 'hex'), 400],
    ['CBOR with an indefinite map', CBOR_TYPE, Buffer.from('bfff', 'hex'), 400],
    ['CBOR with a duplicate key', CBOR_TYPE, Buffer.from('a2676d65737361676541ff676d65737361676541ff', 'hex'), 400],
    ['CBOR with trailing bytes', CBOR_TYPE, Buffer.concat([encode({ message: new Uint8Array(1) }), Buffer.of(0)]), 400],
    ['CBOR cut short', CBOR_TYPE, encode({ message: new Uint8Array(100) }).subarray(0, 50), 400],
    ['CBOR with text that is no base64url', CBOR_TYPE, encode({ message: '!' }), 400],
    ['deep CBOR', CBOR_TYPE, Buffer.alloc(100_000, 0x81), 400],
    ['an empty message', 'message/mls', '', 400],
    ['a message past its limit', 'message/mls', Buffer.alloc(1_001), 413],
    ['a form', 'application/x-www-form-urlencoded', 'message=_w', 415],
    ['text', 'text/plain', '{"message":"_w"}', 415],
    ['XML', 'application/xml', '<a/>', 415],
    ['a multipart form', 'multipart/form-data; boundary=x', '--x--', 415],
    ['no type at all', undefined, '{"message":"_w"}', 415],
    ['an unreadable type', ';;;', '{"message":"_w"}', 415],
  ])('%s', async (_name, type, body, status) => {
    const response = await post(type, body)
    expect(response.status).toBe(status)
    const types: Record<number, string> = { 400: 'invalid-request', 413: 'too-large', 415: 'unsupported-media-type' }
    expect((await problemOf(response))['type']).toBe(`urn:microchat:problem:${types[status]}`)
  })

  it('a single message where a bundle is wanted', async () => {
    expect((await post('message/mls', new Uint8Array([1]), '/v1/echo')).status).toBe(415)
  })
  it('says which fields are wrong', async () => {
    const { errors } = await problemOf(await post(JSON_TYPE, '{"message":"_w","tags":["x",5]}'))
    expect(errors).toEqual([{ path: 'tags.1', message: expect.any(String) }])
  })
  it('never repeats the values', async () => {
    expect(
      JSON.stringify(await problemOf(await post(JSON_TYPE, '{"message":"hunter2!","epoch":"hunter2","tags":"hunter2"}'))),
    ).not.toContain('hunter2')
  })
})

describe('an address', () => {
  it.each([
    ['GET', '/v1/echo/AQID?from_seq=12&limit=3', 200],
    ['GET', '/v1/echo/AQID?from_seq=-1', 400],
    ['GET', '/v1/echo/AQID?from_seq=x', 400],
    ['GET', '/v1/echo/AQID?limit=11', 400],
    ['GET', '/v1/echo/AQID?unknown=1', 400],
    ['GET', '/v1/echo/AQID?from_seq=1&from_seq=2', 400],
    ['GET', '/v1/echo/AQID?__proto__=1', 400],
    ['GET', '/v1/echo/%ff', 400],
    ['GET', '/v1/nothing', 404],
    ['GET', '/v1/echo/', 404],
    ['PUT', '/v1/echo/AQID', 405],
    ['PATCH', '/health/live', 405],
    ['POST', '/health/live', 405],
  ])('%s %s answers %d', async (method, path, status) => {
    const response = await fetch(`${server.url}${path}`, { method })
    expect(response.status).toBe(status)
    if (status >= 400) await problemOf(response)
  })
  it('that is too long is 414', async () => {
    const response = await fetch(`${server.url}/v1/echo/${'A'.repeat(2_000)}`)
    expect(response.status).toBe(414)
    await problemOf(response)
  })
  it('405 says what is allowed', async () => {
    expect((await fetch(`${server.url}/v1/echo/AQID`, { method: 'PUT' })).headers.get('allow')).toBe('DELETE, GET, HEAD, POST')
  })
  it.each([
    ['PUT', '/v1/key-packages/claims', 'POST'],
    ['PUT', '/v1/key-packages/AAAA', 'DELETE'],
    ['DELETE', '/v1/auth/sessions/refresh', 'POST'],
    ['POST', '/v1/devices/self', 'DELETE'],
  ])('405 of %s %s says what this resource allows, and nothing of those next to it: %s', async (method, path, allowed) => {
    const answer = await fetch(`${server.url}${path}`, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allowed])
  })
  it('a parameter that is no group id is 400', async () => {
    expect((await post(JSON_TYPE, '{"message":"_w"}', '/v1/echo/AQ==')).status).toBe(400)
  })
  it('takes the largest group id', async () => {
    expect((await post(JSON_TYPE, '{"message":"_w"}', `/v1/echo/${Buffer.alloc(255, 1).toString('base64url')}`)).status).toBe(200)
  })
  it('DELETE without a body needs no content type, and may have an idle one', async () => {
    expect((await fetch(`${server.url}/v1/echo/AQID`, { method: 'DELETE' })).status).toBe(204)
    expect((await fetch(`${server.url}/v1/echo/AQID`, { method: 'DELETE', headers: { 'content-type': JSON_TYPE } })).status).toBe(204)
  })
})

describe('on the wire', () => {
  it('nobody may take forever to send a request', () => {
    const { headersTimeout, requestTimeout } = server.app.getHttpServer()
    expect([headersTimeout, requestTimeout]).toEqual([10_000, 30_000])
  })

  const head = 'POST /v1/echo/AQID HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
  it.each([
    ['a body cut short', `${head}content-length: 100\r\n\r\n{"message"`],
    ['a chunk cut short', `${head}transfer-encoding: chunked\r\n\r\n64\r\n{"message"`],
    ['two lengths', `${head}content-length: 5\r\ncontent-length: 6\r\n\r\n{"mes`],
    ['length and chunks', `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['no HTTP', 'hello\r\n\r\n'],
    ['a header cut short', 'GET / HTTP/1.1\r\nhost: x\r\nx-a'],
  ])('%s is a 400 problem', async (_name, bytes) => {
    const answer = await sendRaw(server.url, bytes, { halfClose: true })
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('urn:microchat:problem:invalid-request')
  })
  it('too many header fields are a 431 problem', async () => {
    const answer = await sendRaw(server.url, `GET / HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(20_000)}\r\n\r\n`, { halfClose: true })
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    expect(answer).toContain('urn:microchat:problem:headers-too-large')
  })
  it('a body that claims too much is refused before it arrives', async () => {
    const answer = await sendRaw(server.url, `${head}content-length: 999999999\r\nconnection: close\r\n\r\n{`)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  })
})
