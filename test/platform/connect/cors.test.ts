import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../../src/platform/config/config.js'
import { STREAM_PROTOCOL } from '../../../src/protocol/frames.js'
import { TestDevice } from '../../authentication/device-fixture.js'
import { EchoModule } from '../../support/echo.js'
import { open, sendRaw } from '../../support/raw-http.js'
import { startServer, testEnvironment, type TestServer } from '../../support/server.js'

const PAGE = 'https://chat.example.com'
const STRANGER = 'https://evil.example'
const APP = 'capacitor://localhost'

let any: TestServer
let listed: TestServer
let off: TestServer
beforeAll(async () => {
  any = await startServer({ FEDERATION: 'open' }, { root: EchoModule })
  listed = await startServer({ CORS_ORIGINS: `HTTPS://Chat.Example.com:443, ${APP}` }, { root: EchoModule })
  off = await startServer({ CORS_ORIGINS: 'off' })
})
afterAll(async () => {
  await Promise.all([any, listed, off].map((server) => server?.close()))
})

type Ask = { method?: string; headers?: Record<string, string>; body?: string }
const ask = (server: TestServer, path: string, origin: string | undefined, { headers, ...init }: Ask = {}) =>
  fetch(`${server.url}${path}`, { ...init, headers: { ...(origin === undefined ? {} : { origin }), ...headers } })
const preflight = (server: TestServer, path: string, origin: string, headers: Record<string, string> = {}) =>
  ask(server, path, origin, { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST', ...headers } })
const allowedOf = ({ headers }: { headers: Headers }) => headers.get('access-control-allow-origin')

/** Every kind of answer: routes of each layer, refusals of each layer. */
const ANSWERS: [what: string, status: number, path: string, ask?: Ask][] = [
  ['an answer', 200, '/v1/echo/AQID'],
  ['a handler that refuses', 409, '/v1/echo/fail/problem'],
  ['a handler that fails', 500, '/v1/echo/fail/unknown'],
  ['a body that is not valid', 400, '/v1/echo', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }],
  ['a body of another type', 415, '/v1/echo', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' }],
  ['a request without a session', 401, '/v1/devices'],
  ['an address that is none', 404, '/v1/nothing'],
  ['a method that is not there', 405, '/v1/devices', { method: 'PUT' }],
  ['an address that the router refuses', 400, '/v1/echo/%ff'],
  ['a coding that is not taken', 415, '/v1/echo', { method: 'POST', headers: { 'content-encoding': 'gzip' }, body: 'x' }],
  ['the keys of tokens', 200, '/.well-known/jwks.json'],
  ['the directory of the issuer', 200, '/.well-known/private-token-issuer-directory'],
  ['the directory for peers', 200, '/.well-known/mimi-protocol-directory'],
  [
    'a sealed post without a token',
    401,
    '/v1/sealed/AQID/0/messages',
    { method: 'POST', headers: { 'content-type': 'message/mls' }, body: 'x' },
  ],
  ['a request for tokens without a session', 401, '/v1/tokens', { method: 'POST' }],
  ['the description', 200, '/openapi.json'],
]

describe('a page of any origin', () => {
  it.each(ANSWERS)('may read %s (%i)', async (_what, status, path, how = {}) => {
    const answer = await ask(any, path, PAGE, how)
    expect([answer.status, allowedOf(answer), answer.headers.get('cross-origin-resource-policy')]).toEqual([status, '*', 'cross-origin'])
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
    const exposed = answer.headers.get('access-control-expose-headers')?.split(', ')
    expect(exposed).toEqual(expect.arrayContaining(['retry-after', 'x-request-id', 'www-authenticate', 'etag', 'allow']))
  })

  it.each(ANSWERS)('may send what leads to %s (%i)', async (_what, _status, path) => {
    const answer = await preflight(any, path.replace('%ff', 'AQID'), PAGE, { 'access-control-request-headers': 'authorization' })
    const { headers } = answer
    expect([answer.status, allowedOf(answer), await answer.text()]).toEqual([204, '*', ''])
    expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST, PUT, DELETE')
    expect(headers.get('access-control-allow-headers')?.split(', ')).toEqual(
      expect.arrayContaining(['authorization', 'content-type', 'if-none-match', '*']),
    )
    expect(Number(headers.get('access-control-max-age'))).toBeGreaterThanOrEqual(600)
  })

  it.each(['/metrics', '/health/ready', '/health/live'])('may not read %s, which is for operators', async (path) => {
    const answer = await ask(any, path, PAGE)
    expect([answer.status, allowedOf(answer), answer.headers.get('cross-origin-resource-policy')]).toEqual([200, null, 'same-origin'])
  })

  it('may not read what is for peers', async () => {
    expect(allowedOf(await ask(any, '/mimi/v1/groupInfo/room', PAGE, { method: 'POST' }))).toBeNull()
  })

  it('is answered 405 for an OPTIONS that is no preflight', async () => {
    expect((await ask(any, '/v1/devices', undefined, { method: 'OPTIONS' })).status).toBe(405)
    expect((await ask(any, '/v1/devices', PAGE, { method: 'OPTIONS' })).status).toBe(405)
    const withBody = `OPTIONS /v1/devices HTTP/1.1\r\nhost: x\r\norigin: ${PAGE}\r\naccess-control-request-method: POST\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx`
    expect(await sendRaw(any.url, withBody)).toMatch(/^HTTP\/1\.1 405 /)
  })
})

describe('with a list of origins', () => {
  it.each([
    [PAGE, PAGE],
    [APP, APP],
    [STRANGER, null],
    ['https://chat.example.com.evil.example', null],
    ['http://chat.example.com', null],
    ['null', null],
    [undefined, null],
  ])('a page of %s is answered %s, and the answer says that it depends on the origin', async (origin, allowed) => {
    for (const path of ['/v1/echo/AQID', '/v1/nothing', '/v1/devices', '/.well-known/jwks.json', '/v1/echo/%ff']) {
      const answer = await ask(listed, path, origin)
      const vary = answer.headers.get('vary')?.split(/, */)
      expect([path, allowedOf(answer), vary?.includes('origin')]).toEqual([path, allowed, true])
    }
    expect((await ask(listed, '/v1/echo/AQID', origin)).headers.get('vary')).toBe('accept, origin')
  })

  it('a preflight of a page that is not listed carries no permission', async () => {
    expect(allowedOf(await preflight(listed, '/v1/devices', STRANGER))).toBeNull()
    expect(allowedOf(await preflight(listed, '/v1/devices', PAGE))).toBe(PAGE)
  })
})

describe('switched off', () => {
  it('nothing is said to pages of other origins', async () => {
    for (const answer of [await ask(off, '/openapi.json', PAGE), await preflight(off, '/v1/devices', PAGE)]) {
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
      expect(answer.headers.get('cross-origin-resource-policy')).toBe('same-origin')
    }
    expect((await preflight(off, '/v1/devices', PAGE)).status).toBe(405)
  })
})

describe('what the HTTP parser refuses, on the bare socket,', () => {
  const large = `GET /v1/devices HTTP/1.1\r\nhost: x\r\norigin: ${PAGE}\r\nx-large: ${'a'.repeat(20_000)}\r\n\r\n`
  const REFUSED: [status: number, bytes: string][] = [
    [431, large],
    [400, `GET /v1/dev ices HTTP/1.1\r\nhost: x\r\norigin: ${PAGE}\r\n\r\n`],
  ]

  it.each(REFUSED)('may be read by a page of any origin: %i', async (status, bytes) => {
    const answer = await sendRaw(any.url, bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toMatch(/^access-control-allow-origin: \*\r$/m)
    expect(answer).toMatch(/^access-control-expose-headers: retry-after, x-request-id, /m)
    expect(answer).toMatch(/^cross-origin-resource-policy: cross-origin\r$/m)
  })

  it.each(REFUSED)('says nothing of origins where they are listed, as nobody knows the origin, or off: %i', async (_status, bytes) => {
    for (const server of [listed, off]) {
      const answer = await sendRaw(server.url, bytes)
      expect(answer).not.toContain('access-control-')
      expect(answer).toMatch(/^cross-origin-resource-policy: same-origin\r$/m)
    }
  })
})

describe('preflights', () => {
  it('count against the address, and their refusal can be read', async () => {
    const strict = await startServer({ ANONYMOUS_PER_MINUTE: '30' })
    try {
      const statuses: number[] = []
      for (let sent = 0; sent < 6; sent += 1) statuses.push((await preflight(strict, `/v1/groups/${sent}`, PAGE)).status)
      expect(statuses).toEqual([204, 204, 204, 204, 204, 429])
      const refused = await preflight(strict, '/v1/groups', PAGE)
      expect([refused.status, allowedOf(refused), refused.headers.has('retry-after')]).toEqual([429, '*', true])
    } finally {
      await strict.close()
    }
  })
})

describe('the stream', () => {
  const openStream = async (server: TestServer, headers: Record<string, string>) => {
    const { accessToken = '' } = await TestDevice.registered(server.url)
    const fields = {
      host: new URL(server.url).host,
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AQIDBAUGBwgJCgsMDQ4PEA==',
      'sec-websocket-protocol': `${STREAM_PROTOCOL}, bearer.${accessToken}`,
      ...headers,
    }
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    const socket = await open(server.url)
    socket.write(`GET /v1/stream HTTP/1.1\r\n${head.join('')}\r\n`)
    const [first] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(first.toString())?.[1])
  }

  it.each<[string, () => TestServer, Record<string, string>, number]>([
    ['any: a page', () => any, { origin: STRANGER }, 101],
    ['any: no page', () => any, {}, 101],
    ['a list: one of it', () => listed, { origin: PAGE }, 101],
    ['a list: another', () => listed, { origin: STRANGER }, 403],
    ['a list: a frame without an origin', () => listed, { origin: 'null' }, 403],
    ['a list: no page', () => listed, {}, 101],
    ['a list: this server itself', () => listed, { host: 'here.example', origin: 'https://here.example' }, 101],
    ['off: a page', () => off, { origin: PAGE }, 403],
    ['off: no page', () => off, {}, 101],
    ['off: this server itself', () => off, { host: 'here.example', origin: 'http://here.example' }, 101],
  ])('%s', async (_what, server, headers, status) => {
    expect(await openStream(server(), headers)).toBe(status)
  })
})

describe('the setting', () => {
  it.each(['any', 'off', 'https://a.example', 'http://localhost:3000, capacitor://localhost'])('may be %s', (value) => {
    expect(loadConfig(testEnvironment('postgres://localhost/none', { CORS_ORIGINS: value })).CORS_ORIGINS).toBe(value)
  })
  it.each(['*', 'null', 'a.example', 'https://a.example/', 'https://*.a.example', 'https://a.example,', 'https://u@a.example'])(
    'may not be %s',
    (value) => {
      expect(() => loadConfig(testEnvironment('postgres://localhost/none', { CORS_ORIGINS: value }))).toThrow(
        /CORS_ORIGINS must be any, off/,
      )
    },
  )
})
