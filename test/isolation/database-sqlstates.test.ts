import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { Pool } from 'pg'
import { failureOf, SQL_STATES, type Failure } from '../../src/platform/postgres/failures.js'
import { createPrisma } from '../../src/platform/postgres/prisma.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'
import { alter, DatabaseWorld, nameOf } from './database-fixture.js'

const world = new DatabaseWorld()
afterEach(() => world.clear())
const shared = useTestDatabase()

const thrownBy = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )
const codeOf = (error: unknown) => (error as { code?: string }).code

function poolFor(url: string, max = 2): Pool {
  const pool = createPool(url, { max, prepare: true })
  world.later(() => pool.end())
  return pool
}

/** One connection, with statements in this order; what the last one throws. */
async function failing(pool: Pool, ...statements: string[]): Promise<unknown> {
  const client = await pool.connect()
  try {
    for (const statement of statements.slice(0, -1)) await client.query(statement)
    return await thrownBy(client.query(statements.at(-1) ?? ''))
  } finally {
    client.release(true)
  }
}

/** What PostgreSQL itself says, and what it means. */
const PROVOKED: [state: string, failure: Failure, (pool: Pool) => Promise<unknown>][] = [
  ['25006', 'read-only', (pool) => failing(pool, 'BEGIN READ ONLY', 'CREATE TABLE x (id int)')],
  [
    '55P03',
    'temporary',
    async (pool) => {
      const holder = await pool.connect()
      await holder.query('BEGIN; LOCK TABLE groups')
      const error = await failing(pool, `SET lock_timeout = '10ms'`, 'SELECT 1 FROM groups')
      holder.release(true)
      return error
    },
  ],
  ['57014', 'temporary', (pool) => failing(pool, `SET statement_timeout = '10ms'`, 'SELECT pg_sleep(60)')],
  ['57P01', 'temporary', (pool) => failing(pool, 'SELECT pg_terminate_backend(pg_backend_pid())')],
  ['40001', 'temporary', conflict],
  ['40P01', 'temporary', deadlock],
  ['22021', 'input', (pool) => thrownBy(pool.query('SELECT $1::text', ['a\0b']))],
  ['22P05', 'input', (pool) => thrownBy(pool.query(`SELECT convert('\\xe282ac', 'UTF8', 'LATIN1')`))],
  ['22P02', 'input', (pool) => thrownBy(pool.query('SELECT $1::uuid', ['nonsense']))],
  ['22003', 'input', (pool) => thrownBy(pool.query('SELECT $1::int8', ['9'.repeat(30)]))],
  ['22001', 'input', (pool) => failing(pool, 'CREATE TEMP TABLE t (x varchar(3))', `INSERT INTO t VALUES ('four')`)],
  [
    '54000',
    'input',
    (pool) =>
      failing(pool, 'CREATE TEMP TABLE t (x text PRIMARY KEY)', `INSERT INTO t VALUES ('${randomBytes(6_000).toString('base64')}')`),
  ],
  [
    '0A000',
    'temporary',
    async (pool) => {
      const client = await pool.connect()
      await client.query('CREATE TEMP TABLE t (x int)')
      await client.query({ name: 'all', text: 'SELECT * FROM t' })
      await client.query('ALTER TABLE t ADD y int')
      const error = await thrownBy(client.query({ name: 'all', text: 'SELECT * FROM t' }))
      client.release(true)
      return error
    },
  ],
]

async function conflict(pool: Pool): Promise<unknown> {
  const [one, other] = [await pool.connect(), await pool.connect()]
  await one.query('CREATE TABLE IF NOT EXISTS counter (n int); TRUNCATE counter; INSERT INTO counter VALUES (1)')
  for (const client of [one, other]) await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT n FROM counter')
  await one.query('UPDATE counter SET n = 2; COMMIT')
  const error = await thrownBy(other.query('UPDATE counter SET n = 3'))
  one.release(true)
  other.release(true)
  return error
}

async function deadlock(pool: Pool): Promise<unknown> {
  const [one, other] = [await pool.connect(), await pool.connect()]
  for (const client of [one, other]) await client.query(`SET deadlock_timeout = '50ms'`).catch(() => undefined) // a superuser's
  await one.query('BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(71)')
  await other.query('BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(72)')
  const errors = await Promise.all([
    thrownBy(one.query('SELECT pg_advisory_xact_lock(72)').then(() => one.query('COMMIT'))),
    thrownBy(other.query('SELECT pg_advisory_xact_lock(71)').then(() => other.query('COMMIT'))),
  ])
  one.release(true)
  other.release(true)
  return errors.find((error) => error !== undefined)
}

describe('what PostgreSQL says', () => {
  it.each(PROVOKED)('%s is %s', async (state, failure, provoke) => {
    const error = await provoke(poolFor(shared.url))
    expect([codeOf(error), failureOf(error)]).toEqual([state, failure])
  })

  it('53300, 28P01 and 3D000, at the login, are temporary', async () => {
    const database = await world.database()
    await alter(database, 'CONNECTION LIMIT 0')
    const errors = await Promise.all(
      [database.url, shared.url.replace(/:[^:@/]+@/, ':guess@'), shared.url.replace(/[^/]+$/, 'no_such_database')].map((url) =>
        thrownBy(poolFor(url).query('SELECT 1')),
      ),
    )
    expect(errors.map(codeOf)).toEqual(['53300', '28P01', '3D000'])
    expect(errors.map(failureOf)).toEqual(['temporary', 'temporary', 'temporary'])
  })

  it.each([
    ['25P03', 'idle_in_transaction_session_timeout', 'BEGIN'],
    ['57P05', 'idle_session_timeout', 'SELECT 1'],
  ])('%s, when a connection was idle for too long, is temporary, and so is what is asked of it later', async (state, name, before) => {
    const client = await poolFor(shared.url).connect()
    const ended = new Promise<unknown>((resolve) => client.once('error', resolve))
    await client.query(`SET ${name} = '20ms'`)
    await client.query(before)
    const error = await ended
    expect([codeOf(error), failureOf(error)]).toEqual([state, 'temporary'])
    expect(failureOf(await thrownBy(client.query('SELECT 1')))).toBe('temporary')
    client.release()
  })

  it('is understood as well where Prisma passes it on', async () => {
    const prisma = createPrisma(shared.url, { max: 1 })
    world.later(() => prisma.$disconnect())
    const raised = (state: string) =>
      thrownBy(prisma.$executeRawUnsafe(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${state}'; END $$`))
    for (const [state, failure] of PROVOKED.filter(([name]) => name !== '0A000'))
      expect([state, failureOf(await raised(state))]).toEqual([state, failure])
    for (const state of ['42P01', '23505', 'XX000', 'P0001']) expect([state, failureOf(await raised(state))]).toEqual([state, undefined])
  })

  it('that is a fault of the server is not taken for an outage', async () => {
    for (const text of ['SELECT nothing', 'SELECT * FROM no_such_table', 'SELEC', 'SELECT 1 / 0', `SELECT pg_read_file('/etc/passwd')`])
      expect([text, failureOf(await thrownBy(shared.pool.query(text)))]).toEqual([text, undefined])
  })
})

describe('a route behind which PostgreSQL says', () => {
  const EXPECTED: Record<Failure, { status: number; retryAfter: string | null }> = {
    temporary: { status: 503, retryAfter: '1' },
    'read-only': { status: 503, retryAfter: '2' },
    full: { status: 503, retryAfter: '10' },
    input: { status: 400, retryAfter: null },
  }
  /** One of each kind in the table, and of those whose first letters fit no row. */
  const SAMPLES: [string, Failure | undefined][] = [
    ['25006', 'read-only'],
    ['53100', 'full'],
    ...['53000', '53200', '53300', '53400', '08000', '08003', '08006', '08P01', '57014', '57P01', '57P02', '57P03', '57P04', '57P05'].map(
      (state): [string, Failure] => [state, 'temporary'],
    ),
    ...['55P03', '55006', '40001', '40P01', '40003', '25P03', '25P04', '58000', '58030', '28000', '28P01', '3D000'].map(
      (state): [string, Failure] => [state, 'temporary'],
    ),
    ...['22021', '22P05', '22P03', '22001', '22003', '22P02', '22007', '22008', '54000'].map((state): [string, Failure] => [
      state,
      'input',
    ]),
    ...['42P01', '42501', '23505', '25P02', '26000', '22012', '58P01', 'XX000', 'XX001', 'P0001', '55000'].map(
      (state): [string, undefined] => [state, undefined],
    ),
  ]

  it('anything of the table answers with what the table says, and else with an opaque 500', async () => {
    const { get, lines } = await world.serve(await world.database())
    for (const [state, failure] of SAMPLES) {
      const { status, retryAfter, body } = await get(`v1/database/raise/${state}`)
      expect([state, { status, retryAfter }]).toEqual([state, failure ? EXPECTED[failure] : { status: 500, retryAfter: null }])
      expect(JSON.stringify(body)).not.toContain('hunter2')
    }
    const refused = await get('v1/database/nul')
    expect(refused.status).toBe(400)
    // What only PostgreSQL refused is a gap in our own checks: it is logged, without the value.
    const gaps = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'only PostgreSQL refused a value')
    expect(gaps.at(-1)).toMatchObject({ level: 'warn', code: '22021', route: '/v1/database/nul' })
    expect(JSON.stringify(gaps)).not.toContain('hunter2')
  })

  it('has a sample for every row of the table', () => {
    for (const { states, failure, when } of SQL_STATES)
      expect([when, SAMPLES.some(([state, expected]) => states.test(state) && expected === failure)]).toEqual([when, true])
  })
})

describe('a connection', () => {
  it('on which PostgreSQL said that it takes no writes is not used again, nor are those that do nothing', async () => {
    const database = await world.database()
    const pool = poolFor(database.url, 4)
    await Promise.all([1, 2, 3, 4].map(() => pool.query('SELECT pg_sleep(0.05)')))
    const pids = await sessions(database.pool, nameOf(database))
    expect(pids).toHaveLength(4)
    const error = await failing(pool, 'BEGIN READ ONLY', 'CREATE TABLE x (id int)')
    expect(codeOf(error)).toBe('25006')
    await pool.query('CREATE TABLE x (id int)')
    const after = await sessions(database.pool, nameOf(database))
    expect(after.filter((pid) => pids.includes(pid))).toEqual([])
  })
})

/** Process ids of all sessions of the server except the one that asks. */
async function sessions(pool: Pool, name: string): Promise<number[]> {
  const { rows } = await pool.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() AND application_name = 'microchat'`,
    [name],
  )
  return rows.map(({ pid }) => pid)
}
