import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { PIPELINED_REQUESTS } from '../../src/platform/admission/admission-limits.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { TestDevice } from '../authentication/device-fixture.js'
import { eventually } from '../support/eventually.js'
import { open, sendRaw } from '../support/raw-http.js'
import { startServer, type TestServer } from '../support/server.js'

let server: TestServer
let device: TestDevice
beforeAll(async () => {
  server = await startServer({ LOGINS_PER_MINUTE: '100000', MAX_BODY_BYTES: '2MiB' })
  device = await TestDevice.registered(server.url)
})
afterAll(() => server.close())

const statusesOf = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
const fields = (more: Record<string, string> = {}) =>
  Object.entries({ host: 'a', connection: 'close', ...more })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
const bearer = () => ({ authorization: `Bearer ${device.accessToken}` })

describe('the head of a request', () => {
  it.each<[string, () => string, number]>([
    ['two Host fields', () => `GET /v1/devices HTTP/1.1\r\nhost: b\r\n${fields(bearer())}\r\n`, 400],
    ['no Host field', () => `GET /v1/devices HTTP/1.1\r\nconnection: close\r\n\r\n`, 400],
    ['an expectation that nobody knows', () => `GET /v1/devices HTTP/1.1\r\n${fields({ ...bearer(), expect: 'tea' })}\r\n`, 417],
    [
      'a chunked body where none is taken',
      () => `GET /v1/devices HTTP/1.1\r\n${fields({ ...bearer(), 'transfer-encoding': 'chunked' })}\r\n`,
      400,
    ],
    [
      'a transfer coding besides chunked',
      () => `POST /v1/groups HTTP/1.1\r\n${fields({ ...bearer(), 'transfer-encoding': 'gzip, chunked' })}\r\n0\r\n\r\n`,
      501,
    ],
    [
      'a compressed body',
      () => `POST /v1/groups HTTP/1.1\r\n${fields({ ...bearer(), 'content-encoding': 'gzip', 'content-length': '2' })}\r\n{}`,
      415,
    ],
    [
      'an upgrade to HTTP/2, which is ignored',
      () =>
        `GET /v1/devices HTTP/1.1\r\n${fields({ ...bearer(), connection: 'Upgrade, HTTP2-Settings, close', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' })}\r\n`,
      200,
    ],
    [
      'a WebSocket where the server has none, which is ignored',
      () => `GET /v1/devices HTTP/1.1\r\n${fields({ ...bearer(), connection: 'Upgrade, close', upgrade: 'websocket' })}\r\n`,
      200,
    ],
    [
      'a WebSocket at a target that is not a URL',
      () => `GET //[ HTTP/1.1\r\n${fields({ connection: 'Upgrade, close', upgrade: 'websocket' })}\r\n`,
      404,
    ],
    [
      'an upgrade to the stream without a token',
      () =>
        `GET /v1/stream HTTP/1.1\r\n${fields({ connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-protocol': 'microchat.v1' })}\r\n`,
      401,
    ],
    ['a body on a route that is not there', () => `POST /v1/nope HTTP/1.1\r\n${fields({ 'content-length': '1000000' })}\r\n`, 404],
    ['a body without a token', () => `POST /v1/groups HTTP/1.1\r\n${fields({ 'content-length': '1000000' })}\r\n`, 401],
    [
      'a body with a wrong token',
      () => `POST /v1/groups HTTP/1.1\r\n${fields({ authorization: 'Bearer x.y.z', 'content-length': '1000000' })}\r\n`,
      401,
    ],
    ['a body past the largest', () => `POST /v1/groups HTTP/1.1\r\n${fields({ ...bearer(), 'content-length': '3000000' })}\r\n`, 413],
    [
      'a large body where a small one is enough',
      () => `POST /v1/auth/challenges HTTP/1.1\r\n${fields({ 'content-length': '5000' })}\r\n`,
      413,
    ],
    ['a wrong method', () => `DELETE /v1/auth/challenges HTTP/1.1\r\n${fields()}\r\n`, 405],
    [
      'a signed request of a peer, with a body that is too large',
      () => `POST /mimi/notify/x HTTP/1.1\r\n${fields({ 'content-length': '3000000' })}\r\n`,
      404,
    ],
  ])('%s', async (_name, bytes, status) => {
    // Nothing of the body is sent: the answer comes from the head alone.
    expect(statusesOf(await sendRaw(server.url, bytes()))).toEqual([status])
  })

  it('is judged before 100 Continue is sent', async () => {
    const request = (more: Record<string, string>) =>
      `POST /v1/groups HTTP/1.1\r\n${fields({ expect: '100-continue', 'content-length': '2', ...more })}\r\n`
    expect(statusesOf(await sendRaw(server.url, request({})))).toEqual([401])
    const socket = await open(server.url)
    socket.write(request({ ...bearer(), 'content-type': 'application/json' }))
    const [first] = (await once(socket, 'data')) as [Buffer]
    expect(statusesOf(first.toString())).toEqual([100])
    const rest: Buffer[] = []
    socket.on('data', (data: Buffer) => rest.push(data)).on('end', () => socket.end())
    socket.write('{}')
    await once(socket, 'close')
    expect(statusesOf(Buffer.concat(rest).toString())).toEqual([400])
  })

  it('a chunked body ends at the limit of its route', async () => {
    const head = `POST /v1/auth/challenges HTTP/1.1\r\n${fields({ 'transfer-encoding': 'chunked', 'content-type': 'application/json' })}\r\n`
    expect(statusesOf(await sendRaw(server.url, `${head}1400\r\n${' '.repeat(0x1400)}\r\n0\r\n\r\n`))).toEqual([413])
  })
})

describe('requests that the router refuses', () => {
  it.each([
    ['an address that cannot be decoded', '/v1/%zz', 400],
    ['a parameter that is too long', `/v1/groups/${'a'.repeat(1_100)}/log`, 414],
  ])('for %s count for their address, and past its limit lose their connection', async (_why, path, status) => {
    const other = await startServer({ ANONYMOUS_PER_MINUTE: '60' })
    try {
      const answer = await sendRaw(other.url, `GET ${path} HTTP/1.1\r\n${fields({ connection: 'keep-alive' })}\r\n`.repeat(24))
      // Ten are the burst, those in work together come to it; with the others the connection would have stayed open.
      expect(statusesOf(answer).length).toBeLessThan(24)
      expect(new Set(statusesOf(answer))).toEqual(new Set([status]))
    } finally {
      await other.close()
    }
  })

  it('do not have their bodies read', async () => {
    const socket = await open(server.url)
    socket.on('error', () => undefined).resume()
    socket.write(`POST /v1/%zz HTTP/1.1\r\n${fields({ connection: 'keep-alive', 'transfer-encoding': 'chunked' })}\r\n`)
    const chunk = `10000\r\n${'1'.repeat(0x10000)}\r\n`
    const send = () => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', send)
    send()
    await new Promise((resolve) => socket.once('close', resolve))
    // What the network held, at most.
    expect(socket.bytesWritten).toBeLessThan(64 * 1024 ** 2)
  })
})

describe('pipelined requests', () => {
  it('are all answered in their order, as many as may be ahead', async () => {
    const paths = Array.from({ length: PIPELINED_REQUESTS.value }, (_, n) => (n % 2 === 0 ? '/v1/devices' : '/v1/nope'))
    const bytes = paths
      .map(
        (path, n) => `GET ${path} HTTP/1.1\r\n${fields({ ...bearer(), connection: n === paths.length - 1 ? 'close' : 'keep-alive' })}\r\n`,
      )
      .join('')
    expect(statusesOf(await sendRaw(server.url, bytes))).toEqual(paths.map((path) => (path === '/v1/nope' ? 404 : 200)))
  })

  it('cut the connection when they are many, and their address after it was cut often', async () => {
    const bytes = `GET /.well-known/jwks.json HTTP/1.1\r\n${fields({ connection: 'keep-alive' })}\r\n`.repeat(500)
    const other = await startServer()
    try {
      for (let n = 0; n < 12; n += 1) await sendRaw(other.url, bytes).catch(() => undefined)
      await expect(fetch(`${other.url}/health/live`)).rejects.toThrow()
      const { values } = await other.app.get(Metrics).limitsRefused.get()
      const refused = Object.fromEntries(values.map(({ labels, value }) => [labels.limit, value]))
      // Ten cuts are the burst; a further one may have been earned back since.
      expect(refused['connection-pipelined-requests']).toBeGreaterThanOrEqual(10)
      expect(refused['address-offences']).toBeGreaterThanOrEqual(1)
    } finally {
      await other.close()
    }
  })
})

describe('a connection', () => {
  it.each([
    ['a refused upgrade', `GET /v1/stream HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n`],
    ['bytes that are not HTTP', 'GARBAGE\r\n\r\n'],
  ])('of %s is closed though its client keeps its half open', async (_name, bytes) => {
    const socket = await open(server.url)
    const ended = once(socket, 'end')
    socket.on('data', () => undefined).on('error', () => undefined)
    socket.write(bytes)
    await ended
    // The server's side is gone when what we still write is answered by a reset.
    await eventually(
      () => {
        if (!socket.destroyed) socket.write('x')
        return socket.destroyed
      },
      (destroyed) => destroyed,
    )
  })
})
