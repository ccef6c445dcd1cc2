import { afterEach, describe, expect, it } from '@jest/globals'
import { Client } from 'pg'
import { loadConfig } from '../../src/platform/config/config.js'
import { PRISMA_CONNECTIONS, processBudget } from '../../src/platform/postgres/connections/budget.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { describeWithRedis, startRedis } from '../support/redis.js'
import { runMain } from '../support/run-main.js'
import { spawnServer, testEnvironment, type SpawnedServer } from '../support/server.js'
import { GENEROUS, World } from '../support/world.js'

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function freshDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase()
  undo.push(() => database.drop())
  return database
}

async function runServer(database: TestDatabase, overrides: Record<string, string>): Promise<SpawnedServer> {
  const server = await spawnServer(database.url, overrides)
  undo.push(() => server.stop('SIGKILL'))
  return server
}

/** The most connections that were ever open to this database at once, by application name and together; its own does not count. */
class Watch {
  readonly most = new Map<string, number>()
  private running = true
  private readonly looking: Promise<void>

  constructor(private readonly client: Client) {
    this.looking = this.look()
  }

  static async of(database: TestDatabase): Promise<Watch> {
    const client = new Client({ connectionString: database.url })
    await client.connect()
    return new Watch(client)
  }

  private async look(): Promise<void> {
    while (this.running) {
      const { rows } = await this.client.query<{ name: string; open: number }>(
        `SELECT coalesce(application_name, 'all') AS name, count(*)::int AS open FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
          GROUP BY ROLLUP (application_name)`,
      )
      await this.client.query('SELECT pg_sleep(0.005)')
      for (const { name, open } of rows) this.most.set(name, Math.max(open, this.most.get(name) ?? 0))
    }
  }

  async end(): Promise<Map<string, number>> {
    this.running = false
    await this.looking
    await this.client.end()
    return this.most
  }
}

/** Far more requests at once than any pool has connections, on the hot paths and on Prisma's; again, until the pools were used to their end. */
async function load(url: string, usedToTheEnd: () => boolean): Promise<void> {
  const world = new World(url)
  try {
    const [client] = await world.cast('alice')
    const { http } = client.device
    const ask = (turn: number) =>
      turn % 2 === 0 ? http.get('/v1/devices') : http.post('/v1/auth/challenges', { client: `mimi://localhost/d/nobody/${turn}` })
    // On a busy machine the requests of one round may come so far apart that fewer connections do.
    for (let round = 0; round < 20 && !usedToTheEnd(); round++) {
      await Promise.all(Array.from({ length: 300 }, (_, turn) => ask(turn)))
    }
  } finally {
    await world.disconnect()
  }
}

const budgetOf = (overrides: Record<string, string>) => processBudget(loadConfig(testEnvironment('postgres://u@h/d', overrides)))

async function underLoad(overrides: Record<string, string>): Promise<void> {
  const database = await freshDatabase()
  const watch = await Watch.of(database)
  const server = await runServer(database, { ...GENEROUS, ...overrides })
  const whole = [Number(overrides['PG_POOL_API']), PRISMA_CONNECTIONS]
  const used = () => [watch.most.get('microchat') ?? 0, watch.most.get('microchat-prisma') ?? 0]
  await load(server.url, () => used().every((open, pool) => open >= whole[pool]!))
  const most = await watch.end()
  const { pooled, direct } = budgetOf(overrides)
  expect(most.get('all')).toBeLessThanOrEqual(pooled + direct)
  // The pools were used to their end, or this would have shown nothing.
  expect(used()).toEqual(whole)
}

describe('a process under load opens no more connections than its budget says', () => {
  it('with jobs in PostgreSQL', () => underLoad({ ROLE: 'both', PG_POOL_API: '5' }))
  it('as an api process', () => underLoad({ ROLE: 'api', PG_POOL_API: '3' }))
  describeWithRedis('with Redis', () => {
    it('as one process', async () => {
      const redis = await startRedis()
      undo.push(() => redis.stop())
      await underLoad({ ROLE: 'both', PG_POOL_API: '4', REDIS_URL: redis.url })
    })
  })
})

describe('a start', () => {
  it('is refused if the whole deployment would not fit into PostgreSQL', async () => {
    const database = await freshDatabase()
    const { code, err } = await runMain(testEnvironment(database.url, { ROLE: 'api', API_NODES: '900' }))
    expect(code).toBe(1)
    expect(err).toMatch(
      /^PostgreSQL gives this deployment \d+ connections \(max_connections \d+ less 3 reserved\), and it may open 11702: /,
    )
    expect(err).toContain('900 api processes with 13 each')
    expect(err.trim().split('\n')).toHaveLength(1)
  })
  it('is refused if the database has a tighter limit of its own', async () => {
    const database = await freshDatabase()
    const name = new URL(database.url).pathname.slice(1)
    await database.pool.query(`ALTER DATABASE ${name} CONNECTION LIMIT 18`)
    const { code, err } = await runMain(testEnvironment(database.url, { ROLE: 'both' }))
    expect(code).toBe(1)
    expect(err).toContain(`18 connections (database ${name}), and it may open 19`)
  })
  it('tells that the limits behind a pooler are not looked at', async () => {
    const database = await freshDatabase()
    const direct = new URL(database.url)
    const elsewhere = Object.assign(new URL(database.url), { hostname: direct.hostname === 'localhost' ? '127.0.0.1' : 'localhost' })
    const overrides = { ROLE: 'api', API_NODES: '3', LOG_LEVEL: 'info', DIRECT_DATABASE_URL: direct.href }
    const server = await runServer({ ...database, url: elsewhere.href }, overrides)
    expect(server.output()).toContain('"connections":30,"msg":"DATABASE_URL leads to a pooler')
  })
})
