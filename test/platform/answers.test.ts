import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { PROBLEMS } from '../../src/app/openapi/problem-catalogue.js'
import { EchoModule } from '../support/echo.js'
import { startServer, type TestServer } from '../support/server.js'

let server: TestServer
let lines: string[] = []
beforeAll(async () => {
  server = await startServer({}, { root: EchoModule, log: { write: (line) => void lines.push(line) } })
})
afterAll(() => server.close())

async function get(path: string, headers: Record<string, string> = {}) {
  lines = []
  const response = await fetch(`${server.url}${path}`, { headers })
  const text = await response.text()
  await new Promise((resolve) => setImmediate(resolve))
  return { response, text, logged: lines.map((line) => JSON.parse(line)) }
}

describe('an unexpected failure', () => {
  it('is an opaque 500 that names the request, and one log line with the reason', async () => {
    const { response, text, logged } = await get('/v1/echo/fail/unknown')
    expect(response.status).toBe(500)
    expect(text).not.toContain('hunter2')
    expect(JSON.parse(text)).toMatchObject({
      type: 'urn:microchat:problem:internal',
      instance: `urn:request:${response.headers.get('x-request-id')}`,
    })
    const errors = logged.filter(({ level }) => level === 'error')
    expect(errors).toEqual([expect.objectContaining({ request_id: response.headers.get('x-request-id'), route: '/v1/echo/fail/unknown' })])
    expect(errors[0].err.stack[0]).toContain('fail')
  })
  it('an answer that is not as declared does not leave the house', async () => {
    const { response, text } = await get('/v1/echo/fail/shape')
    expect(response.status).toBe(500)
    expect(text).not.toContain('hunter2')
  })
  it('a database that gives up waiting is 503 with Retry-After', async () => {
    const { response } = await get('/v1/echo/fail/database')
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
  })
})

describe('a problem', () => {
  it('has its members, bytes in base64url', async () => {
    const { response, text } = await get('/v1/echo/fail/problem')
    expect(response.status).toBe(409)
    expect(JSON.parse(text)).toMatchObject({ type: 'urn:microchat:problem:stale-epoch', current_epoch: 5, entries: ['_w'] })
  })
  it('is CBOR where CBOR is accepted', async () => {
    expect((await get('/v1/echo/fail/problem', { accept: 'application/cbor' })).response.headers.get('content-type')).toBe(
      'application/cbor',
    )
  })
})

describe('every answer', () => {
  it.each([
    ['abcdefgh-1', true],
    ['short', false],
    ['with space in it', false],
    ['x'.repeat(65), false],
  ])('takes over the request id %s: %p', async (id, sane) => {
    expect((await get('/health/live', { 'x-request-id': id })).response.headers.get('x-request-id') === id).toBe(sane)
  })
  it('names no software, has no ETag, and is not to be stored or sniffed', async () => {
    const { headers } = (await get('/v1/echo/AQID')).response
    for (const name of ['server', 'x-powered-by', 'etag']) expect(headers.get(name)).toBeNull()
    expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual(['no-store', 'nosniff'])
  })
})

describe('the log and the metrics', () => {
  it('one line per request, with the route and not the address', async () => {
    const { logged, response } = await get('/v1/echo/c2VjcmV0?from_seq=777', { authorization: 'Bearer hunter2' })
    expect(logged.filter(({ msg }) => msg === 'request')).toEqual([
      {
        level: 'info',
        time: expect.any(String),
        request_id: response.headers.get('x-request-id'),
        method: 'GET',
        route: '/v1/echo/:groupId',
        status: 200,
        duration_ms: expect.any(Number),
        msg: 'request',
      },
    ])
    expect(lines.join()).not.toMatch(/c2VjcmV0|777|hunter2|127\.0\.0\.1/)
  })
  it('an unknown address is not repeated either', async () => {
    expect((await get('/wp-login.php?token=hunter2')).logged).toEqual([expect.objectContaining({ route: 'unmatched', status: 404 })])
    expect(lines.join()).not.toMatch(/wp-login|hunter2/)
  })
  it('a route may opt out', async () => {
    expect((await get('/v1/echo/unlogged/hunter2')).logged).toEqual([])
  })
  it('measure by route template', async () => {
    await get('/v1/echo/c2VjcmV0')
    const { text, response } = await get('/metrics')
    expect(response.headers.get('content-type')).toContain('text/plain')
    expect(text).toMatch(/http_request_duration_seconds_count\{method="GET",route="\/v1\/echo\/:groupId",status="200"\} \d/)
    expect(text).not.toContain('c2VjcmV0')
    for (const name of [
      'nodejs_eventloop_lag_seconds',
      'pg_pool_connections',
      'jobs_oldest_waiting_seconds',
      'hints_dropped_total',
      'commit_lock_misses_total',
    ])
      expect(text).toContain(name)
  })
})

describe('the documentation', () => {
  it.each(['/', '/docs', '/docs/stream', '/docs/errors'])('is served with all its parts from here: %s', async (page) => {
    const { response, text } = await get(page)
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
    expect(response.headers.get('x-frame-options')).toBe('DENY')
    const parts = [...text.matchAll(/(?:src|href)="(\/[^"#]*)/g)].map((match) => match[1] ?? '')
    expect(parts.length).toBeGreaterThan(1)
    for (const part of parts) {
      expect(part).toMatch(/^\/([^/]|$)/)
      expect([part, (await get(part)).response.status]).toEqual([part, 200])
    }
  })

  it('describes this server by the files of the release', async () => {
    expect(JSON.parse((await get('/openapi.json')).text)).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/' }] })
    expect((await get('/openapi.yaml')).text).toBe(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'))
    expect((await get('/asyncapi.yaml')).text).toContain('asyncapi: 3.0.0')
  })

  it('shows every frame of the stream and every type of problem', async () => {
    const frames = [...(await get('/docs/stream')).text.matchAll(/<h3 id="([^"]+)"><code>/g)].map(([, name]) => name)
    expect(frames).toEqual(expect.arrayContaining(['hello', 'entries', 'ack', 'token']))
    const { text } = await get('/docs/errors')
    for (const type of PROBLEMS.keys()) expect(text).toContain(`<tr id="${type}">`)
  })

  it('is not there where it is switched off, neither a page nor a description', async () => {
    const silent = await startServer({ DOCS: 'off' })
    const paths = [
      '/',
      '/docs',
      '/docs/stream',
      '/docs/errors',
      '/docs/assets/start.js',
      '/openapi.json',
      '/openapi.yaml',
      '/asyncapi.yaml',
    ]
    try {
      for (const path of paths) expect([path, (await fetch(silent.url + path)).status]).toEqual([path, 404])
    } finally {
      await silent.close()
    }
  })
})
