import { afterEach, describe, expect, it } from '@jest/globals'
import { once } from 'node:events'
import { Readiness } from '../../src/platform/observability/readiness.js'
import { eventually } from '../support/eventually.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { EchoModule, heldRequests } from '../support/echo.js'
import { open } from '../support/raw-http.js'
import { spawnServer, startServer, type SpawnedServer } from '../support/server.js'

const HEALTHY = { serving: 'ok', database: 'ok', migrations: 'ok', writes: 'ok', clock: 'ok', keys: 'ok' }

/** A request that has reached the server, and is in flight until it is released. */
async function hold(url: string): Promise<{ answer: Promise<Response>; release: () => void }> {
  const held = once(heldRequests, 'held')
  const answer = fetch(`${url}/v1/echo/held/request`)
  const [release] = (await held) as [() => void]
  return { answer, release }
}

describe('a server that drains', () => {
  it('finishes requests in flight, refuses new connections, and does not wait for idle ones', async () => {
    const server = await startServer({ SHUTDOWN_GRACE: '60s' }, { root: EchoModule })
    const idle = await open(server.url)
    const used = await open(server.url)
    used.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(used, 'data')
    const held = await hold(server.url)
    const closed = server.close()
    // Both are ended while the request is in flight still.
    await Promise.all([once(idle.resume(), 'end'), once(used.resume(), 'end')])
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow()
    held.release()
    const answer = await held.answer
    expect([answer.status, await answer.text()]).toEqual([200, 'done'])
    await closed
    idle.destroy()
    used.destroy()
  })

  it('cuts off what takes longer than the grace', async () => {
    const server = await startServer({ SHUTDOWN_GRACE: '300ms' }, { root: EchoModule })
    const held = await hold(server.url)
    const cut = held.answer.catch(() => 'cut')
    await server.close()
    expect(await cut).toBe('cut')
    held.release()
  })

  it('is not ready any more, but alive, while balancers take notice', async () => {
    const server = await startServer({ DRAIN_DELAY: '1s' })
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
    const closed = server.close()
    const ready = await fetch(`${server.url}/health/ready`)
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'unavailable', checks: { ...HEALTHY, serving: 'failing' } }])
    expect(ready.headers.get('connection')).toBe('close')
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200)
    await closed
  })
})

describe('the process', () => {
  let database: TestDatabase | undefined
  let server: SpawnedServer | undefined
  afterEach(async () => {
    await server?.stop('SIGKILL')
    await database?.drop()
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('ends in order on %s, with a connection open: exit code 0', async (signal) => {
    database = await createTestDatabase()
    server = await spawnServer(database.url)
    const idle = await open(server.url)
    expect(await server.stop(signal)).toBe(0)
    expect(server.output()).toContain(`WebSocket ${server.wsUrl}/v1/stream`)
    idle.destroy()
  })

  it('does not start with settings that make no sense', async () => {
    database = await createTestDatabase()
    await expect(spawnServer(database.url, { PORT: 'eighty' })).rejects.toThrow('ended with 1')
  })
})

describe('a process that only runs jobs', () => {
  it('answers its health and nothing else', async () => {
    const server = await startServer({ ROLE: 'worker' }, { root: EchoModule })
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
    expect((await fetch(`${server.url}/metrics`)).status).toBe(200)
    expect((await fetch(`${server.url}/v1/echo/AQID`)).status).toBe(503)
    expect((await fetch(`${server.url}/docs`)).status).toBe(503)
    await server.close()
  })
})

describe('readiness', () => {
  it('is lost with the database or a migration that stopped half-way', async () => {
    const server = await startServer()
    // What was found is kept for a second.
    const becomes = async (migrations: 'ok' | 'failing') => {
      const report = () => server.app.get(Readiness).report()
      const { checks } = await eventually(report, (seen) => seen.checks['migrations'] === migrations)
      expect(checks).toEqual({ ...HEALTHY, migrations })
    }
    try {
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
      await server.pool.query("UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name LIKE '%_baseline_groups'")
      await becomes('failing')
      await server.pool.query('UPDATE _prisma_migrations SET finished_at = now()')
      await becomes('ok')
      await server.pool.query('ALTER TABLE _prisma_migrations RENAME TO gone')
      await becomes('failing')
    } finally {
      await server.close()
    }
  })
})
