import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { start, type RunningServer } from '../../src/app/start.js'
import { OperationsListener } from '../../src/app/operations/operations-listener.js'
import { OPERATIONS_LIMITS } from '../../src/app/operations/operations.limits.js'
import { loadConfig } from '../../src/platform/config/config.js'
import { createLog } from '../../src/platform/observability/log.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { freePort } from '../support/free-port.js'
import { open, sendRaw } from '../support/raw-http.js'
import { startServer, testEnvironment } from '../support/server.js'

const PATHS = ['/health/live', '/health/ready', '/metrics']
const CONNECTIONS = OPERATIONS_LIMITS.connections.value

const database = useTestDatabase()
let running: RunningServer | undefined
afterEach(async () => {
  await running?.stop()
  running = undefined
})

async function startWith(settings: Record<string, string> = {}, url = database.url) {
  const config = loadConfig(testEnvironment(url, { OPERATIONS_PORT: '0', ...settings }))
  const server = await start(config, createLog(config))
  running = server
  return { server, main: server.url, operations: server.operationsUrl ?? '' }
}

const statusesOf = (base: string, paths: readonly string[]) => Promise.all(paths.map(async (path) => (await fetch(base + path)).status))

describe('the operations port', () => {
  it('has health and metrics and nothing else, and the main port has neither', async () => {
    const { main, operations } = await startWith()
    expect(await statusesOf(operations, PATHS)).toEqual([200, 200, 200])
    expect(await statusesOf(main, PATHS)).toEqual([404, 404, 404])
    const others = [
      '/',
      '/v1/devices',
      '/docs',
      '/openapi.json',
      '/.well-known/jwks.json',
      '/metrics/',
      '/health',
      '/constructor',
      '/METRICS',
    ]
    expect(new Set(await statusesOf(operations, others))).toEqual(new Set([404]))
    expect((await fetch(`${main}/health/live`, { method: 'POST' })).status).toBe(404)
    expect((await fetch(`${operations}/metrics?x=1`)).headers.get('content-type')).toContain('text/plain')
  })

  it('is not there unless it is asked for: then the main port has them', async () => {
    const server = await startServer()
    expect(await statusesOf(server.url, PATHS)).toEqual([200, 200, 200])
    await server.close()
  })

  it.each(['api', 'worker'])('is there in every role: %s', async (ROLE) => {
    const { main, operations } = await startWith({ ROLE })
    expect(await statusesOf(operations, PATHS)).toEqual([200, 200, 200])
    expect(await statusesOf(main, PATHS)).toEqual([404, 404, 404])
  })

  it('shows a process that starts as alive and not ready', async () => {
    // PostgreSQL, as it seems, but it never says a word.
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const connected = once(silent, 'connection') as Promise<[{ destroy(): void }]>
    const port = await freePort()
    const url = `postgres://u:p@127.0.0.1:${(silent.address() as AddressInfo).port}/x`
    const starting = startWith({ OPERATIONS_PORT: String(port) }, url).catch((error: unknown) => error)
    const [socket] = await connected
    expect(await statusesOf(`http://127.0.0.1:${port}`, PATHS)).toEqual([200, 503, 503])
    silent.close()
    socket.destroy()
    expect(await starting).toBeInstanceOf(Error)
    await expect(fetch(`http://127.0.0.1:${port}/health/live`)).rejects.toThrow()
  })

  it('shows a process that drains as alive and not ready, and closes last', async () => {
    const { server, main, operations } = await startWith({ DRAIN_DELAY: '500ms' })
    expect(await statusesOf(operations, PATHS)).toEqual([200, 200, 200])
    const stopped = server.stop()
    const ready = await fetch(`${operations}/health/ready`)
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'unavailable', checks: expect.objectContaining({ serving: 'failing' }) },
    ])
    expect((await fetch(`${operations}/health/live`)).status).toBe(200)
    await stopped
    for (const base of [main, operations]) await expect(fetch(`${base}/health/live`)).rejects.toThrow()
  })
})

describe('somebody who gets at the operations port', () => {
  const refused = async (operations: string, limit: keyof typeof OPERATIONS_LIMITS) => {
    const { name } = OPERATIONS_LIMITS[limit]
    const read = async () => (await (await fetch(`${operations}/metrics`)).text()).includes(`limits_refused_total{limit="${name}"}`)
    await eventually(read, (seen) => seen)
  }

  it('has no body to send', async () => {
    const { operations } = await startWith()
    for (const framing of ['content-length: 5000000', 'transfer-encoding: chunked']) {
      expect(await sendRaw(operations, `GET /health/live HTTP/1.1\r\nhost: x\r\n${framing}\r\n\r\n`)).toMatch(/^HTTP\/1.1 413 /)
    }
    expect(await sendRaw(operations, 'POST /metrics HTTP/1.1\r\nhost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 405 [^]*allow/i)
    await refused(operations, 'bodyBytes')
  })

  it('gets one answer on a connection, however many requests it sends', async () => {
    const { operations } = await startWith()
    const answers = await sendRaw(operations, 'GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(20_000))
    expect(answers.match(/^HTTP\/1\.1 /gm)?.length).toBeLessThanOrEqual(1)
    expect(await statusesOf(operations, PATHS)).toEqual([200, 200, 200])
    await refused(operations, 'requests')
  })

  it('refuses what is not a request, and does not wait for the other half of the connection', async () => {
    const config = loadConfig(testEnvironment(database.url, { OPERATIONS_PORT: '0' }))
    const listener = await OperationsListener.open(config, createLog(config))
    if (!listener) throw new Error('There is no operations port')
    const { server } = listener as unknown as { server: Server }
    // A connection that is waited for ends by a time-out, of the request or of the socket, which each would be one more.
    let ended = 0
    for (const event of ['clientError', 'timeout']) server.on(event, () => (ended += 1))
    for (const [bytes, status] of [
      ['GARBAGE\r\n\r\n', 400],
      [`GET / HTTP/1.1\r\nhost: x\r\nx-a: ${'a'.repeat(9_000)}\r\n\r\n`, 431],
    ] as const) {
      const socket = await open(listener.url)
      socket.on('error', () => undefined).write(bytes)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      expect(answer.toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      await eventually(
        () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count))),
        (count) => count === 0,
      )
      socket.destroy()
    }
    expect(ended).toBe(2)
    await listener.close()
  })

  it('does not keep a probe out by connections that it holds, whether silent or in the middle of a request', async () => {
    const { operations } = await startWith()
    const held = await Promise.all(
      Array.from({ length: 3 * CONNECTIONS }, async (_, index) => {
        const socket = await open(operations)
        socket.on('error', () => undefined).on('end', () => socket.end())
        if (index % 2 === 0) socket.write('GET /health/live HTTP/1.1\r\nhost: ')
        const received: Buffer[] = []
        socket.on('data', (chunk: Buffer) => received.push(chunk))
        return { received, closed: once(socket, 'close') }
      }),
    )
    expect(await statusesOf(operations, PATHS)).toEqual([200, 200, 200])
    await refused(operations, 'connections')
    await Promise.all(held.map(({ closed }) => closed))
    // A connection that began a request and was not displaced gets 408; without a limit that would be half of all.
    const told = held.filter(({ received }) => Buffer.concat(received).includes('408'))
    expect(told.length).toBeLessThanOrEqual(CONNECTIONS)
  })
})
