import { afterEach, expect, it } from '@jest/globals'
import type { Pool } from 'pg'
import { start } from '../../src/app/start.js'
import { loadConfig } from '../../src/platform/config/config.js'
import { Jobs } from '../../src/platform/jobs/jobs.js'
import { createLog } from '../../src/platform/observability/log.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import { createTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { describeWithPgbouncer, describeWithTrackingPgbouncer, startPgbouncer, type TestPgbouncer } from '../support/pgbouncer.js'
import { Race } from '../support/race.js'
import { startServer, testEnvironment, type TestServer } from '../support/server.js'
import { GENEROUS, World } from '../support/world.js'

/** Fewer than the server's pool has connections, so that every transaction may get another one. */
const SIZE = 4

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

interface Pooled {
  pooler: TestPgbouncer
  server: TestServer
  world: World
  /** PostgreSQL itself. */
  direct: Pool
}

async function startBehindPooler(PG_PREPARE: 'on' | 'off'): Promise<Pooled> {
  const database = await createTestDatabase()
  undo.push(() => database.drop())
  const pooler = await startPgbouncer(database.url, { size: SIZE, prepared: PG_PREPARE === 'on' ? 200 : 0 })
  undo.push(() => pooler.stop())
  const addresses = { DATABASE_URL: pooler.url, DIRECT_DATABASE_URL: database.url }
  const server = await startServer({ ...GENEROUS, ...addresses, PG_PREPARE, STREAM_ACK_FLUSH: '50ms' }, { database })
  undo.push(() => server.close())
  const world = new World(server.url)
  undo.push(() => world.disconnect())
  return { pooler, server, world, direct: database.pool }
}

/** Registers, publishes and claims KeyPackages, races Commits, sends messages, reads them on streams, and checks it all. */
async function race(world: World): Promise<void> {
  const race = new Race(world, {
    racers: 5,
    guests: 2,
    groups: [
      ['public', 1],
      ['private', 1],
    ],
  })
  await race.prepare()
  await race.run(() => race.actions >= 80)
  await race.check()
}

/** What `query` gives in each of the pooler's server connections; all are taken at once, so that none answers twice. */
async function inEverySession(url: string, query: string): Promise<unknown[]> {
  const pool = createPool(url, { max: SIZE, prepare: false })
  try {
    const clients = await Promise.all(Array.from({ length: SIZE }, () => pool.connect()))
    await Promise.all(clients.map((client) => client.query('BEGIN')))
    const answers = await Promise.all(clients.map(async (client) => (await client.query<{ answer: unknown }>(query)).rows[0]?.answer))
    for (const client of clients) {
      await client.query('ROLLBACK')
      client.release()
    }
    return answers
  } finally {
    await pool.end()
  }
}

function behaves(PG_PREPARE: 'on' | 'off'): void {
  it('clients race, read and get news, over fewer connections than the server has asked for', async () => {
    const { pooler, world, direct } = await startBehindPooler(PG_PREPARE)
    await race(world)
    const [pool] = (await pooler.show('POOLS')).filter((row) => String(row['database']).startsWith('test_'))
    expect(pool).toMatchObject({ pool_mode: 'transaction' })
    const { rows } = await direct.query<{ name: string; open: number }>(
      `SELECT application_name AS name, count(*)::int AS open FROM pg_stat_activity
        WHERE datname = current_database() AND client_port IS NOT NULL AND pid <> pg_backend_pid() GROUP BY 1`,
    )
    const through = rows.filter(({ name }) => name.startsWith('microchat')).reduce((sum, { open }) => sum + open, 0)
    expect(through).toBe(SIZE)
  })

  it('jobs run, past the pooler', async () => {
    const { server } = await startBehindPooler(PG_PREPARE)
    const jobs = server.app.get(Jobs)
    const ran: unknown[] = []
    jobs.process('greet_v1', async (data) => void ran.push(data))
    await jobs.enqueue('greet_v1', { to: 'world' })
    await eventually(
      () => ran,
      (seen) => seen.length > 0,
    )
    expect(ran).toEqual([{ to: 'world' }])
  })

  it('the settings of the role hold inside, and nothing is left behind in a session that another client gets', async () => {
    const { pooler, world, direct } = await startBehindPooler(PG_PREPARE)
    await race(world)
    const settings = `SELECT current_setting('plan_cache_mode') || ' ' || current_setting('jit') || ' ' || current_setting('lock_timeout') || ' '
      || current_setting('statement_timeout') || ' ' || current_setting('idle_in_transaction_session_timeout') AS answer`
    expect(await inEverySession(pooler.url, settings)).toEqual(Array(SIZE).fill('force_generic_plan off 2s 10s 5s'))
    // Acknowledgements turn it off, each for its own transaction.
    expect(await inEverySession(pooler.url, "SELECT current_setting('synchronous_commit') AS answer")).toEqual(Array(SIZE).fill('on'))
    expect(await inEverySession(pooler.url, 'SELECT count(*)::int AS answer FROM pg_listening_channels()')).toEqual(Array(SIZE).fill(0))
    expect(await inEverySession(pooler.url, 'SELECT pg_my_temp_schema()::int AS answer')).toEqual(Array(SIZE).fill(0))
    const { rows } = await direct.query<{ pid: number }>(
      `SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND a.datname = current_database() AND a.application_name LIKE 'microchat%'`,
    )
    expect(rows).toEqual([])
    if (PG_PREPARE === 'off')
      expect(await inEverySession(pooler.url, 'SELECT count(*)::int AS answer FROM pg_prepared_statements')).toEqual(Array(SIZE).fill(0))
  })

  it('a pooler that is killed and comes back costs a while, and nothing else', async () => {
    const { pooler, world } = await startBehindPooler(PG_PREPARE)
    const run = new Race(world, { racers: 4, guests: 0, groups: [['public', 1]] })
    await run.prepare()
    const over = run.run(() => run.actions >= 80)
    await run.progress(10)
    await pooler.restart()
    await over
    await run.check()
  })
}

describeWithPgbouncer('through pgbouncer in transaction mode with PG_PREPARE=off', () => {
  behaves('off')

  it('a start with PG_PREPARE=on says what is wrong instead of failing under load', async () => {
    const database = await createTestDatabase()
    undo.push(() => database.drop())
    const pooler = await startPgbouncer(database.url, { size: SIZE })
    undo.push(() => pooler.stop())
    const addresses = { DATABASE_URL: pooler.url, DIRECT_DATABASE_URL: database.url }
    const settings = loadConfig(testEnvironment(pooler.url, { ...addresses, PG_PREPARE: 'on' }))
    await expect(start(settings, createLog(settings))).rejects.toThrow(/loses named statements.*Set PG_PREPARE=off/)
  })
})
describeWithTrackingPgbouncer('through pgbouncer 1.21 or newer in transaction mode, with max_prepared_statements', () => behaves('on'))
