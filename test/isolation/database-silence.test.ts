import { afterEach, describe, expect, it } from '@jest/globals'
import { PostgresClient, StatementDeadlineError } from '../../src/platform/postgres/client/postgres-client.js'
import { PostgresTarget } from '../../src/platform/postgres/client/postgres-target.js'
import { failureOf } from '../../src/platform/postgres/failures.js'
import { createPrisma } from '../../src/platform/postgres/prisma.js'
import { createPool, transaction } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { postgresProxy, type PostgresProxy } from '../support/network/postgres-proxy.js'

const database = useTestDatabase()

/** Short, so that nothing waits; the default is 12 s. */
const DEADLINE_MS = 1_500

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function pathTo(): Promise<{ proxy: PostgresProxy; target: PostgresTarget }> {
  const proxy = await postgresProxy(database.url)
  undo.push(() => proxy.close())
  return { proxy, target: new PostgresTarget(proxy.url, { statementDeadline: DEADLINE_MS }) }
}

const thrownBy = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

async function poolOf(max: number) {
  const path = await pathTo()
  const pool = createPool(path.target, { max, prepare: true })
  undo.push(() => pool.end())
  return { ...path, pool }
}

describe('with a PostgreSQL that says nothing', () => {
  it('a statement ends with a temporary failure, and its connection is given up', async () => {
    const { proxy, pool } = await poolOf(1)
    await pool.query('SELECT 1')
    proxy.stall({ newOnes: false })
    const error = await thrownBy(pool.query('SELECT 1'))
    expect(error).toBeInstanceOf(StatementDeadlineError)
    expect(failureOf(error)).toBe('temporary')
    expect(pool.totalCount).toBe(0)
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    expect(proxy.made()).toBe(2)
  })

  it.each(['BEGIN', 'a statement', 'COMMIT'])(
    'a transaction ends so at %s, and what it did is undone or done as a whole',
    async (where) => {
      const { proxy, pool } = await poolOf(1)
      await pool.query('SELECT 1')
      if (where === 'BEGIN') proxy.stall()
      const work = transaction(pool, async (sql) => {
        await sql.query('CREATE TABLE IF NOT EXISTS note (text text)')
        await sql.query('INSERT INTO note VALUES ($1)', [where])
        if (where !== 'BEGIN') proxy.stall()
        if (where === 'a statement') await sql.query('SELECT 1')
      })
      expect(failureOf(await thrownBy(work))).toBe('temporary')
      expect(pool.totalCount).toBe(0)
      proxy.resume()
      await transaction(pool, (sql) => sql.query('SELECT 1'))
    },
  )

  it('a transaction that may take longer has the time it was given, in PostgreSQL and here, and nobody after it', async () => {
    const { pool } = await poolOf(1)
    const slow = 'SELECT pg_sleep(3)'
    const { rows } = await transaction(pool, (sql) => sql.query(`SELECT current_setting('statement_timeout') AS most, pg_sleep(3)`), {
      statementTimeout: 8_000,
    })
    expect(rows).toEqual([expect.objectContaining({ most: '8s' })])
    expect(await thrownBy(pool.query(slow))).toBeInstanceOf(StatementDeadlineError)
    const shown = await pool.query<{ most: string }>(`SELECT current_setting('statement_timeout') AS most`)
    expect(shown.rows[0]?.most).not.toBe('8s')
  })

  it('all connections of a busy pool are given up, those who wait for one fail as well, and all continues after it', async () => {
    const { proxy, pool } = await poolOf(3)
    await Promise.all([1, 2, 3].map(() => pool.query('SELECT pg_sleep(0.05)')))
    expect(pool.totalCount).toBe(3)
    proxy.stall({ newOnes: false })
    // As many as there are connections, so that nobody waits for one.
    const errors = await Promise.all([1, 2, 3].map(() => thrownBy(pool.query('SELECT 1'))))
    expect(errors.map((error) => failureOf(error))).toEqual(['temporary', 'temporary', 'temporary'])
    expect((await Promise.all(Array.from({ length: 9 }, () => pool.query('SELECT 1')))).length).toBe(9)
  })

  it('connections that do nothing are given up together with the one that got no answer', async () => {
    const { proxy, pool } = await poolOf(5)
    pool.options.idleTimeoutMillis = 3_600_000 // the pool itself lets go of none
    await Promise.all([1, 2, 3, 4, 5].map(() => pool.query('SELECT pg_sleep(0.05)')))
    proxy.stall({ newOnes: false })
    await thrownBy(pool.query('SELECT 1'))
    await eventually(
      () => pool.totalCount,
      (count) => count === 0,
    )
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  it('a statement of Prisma ends as well, inside and outside of a transaction', async () => {
    const { proxy, target } = await pathTo()
    const prisma = createPrisma(target, { max: 2 })
    undo.push(() => prisma.$disconnect())
    await prisma.account.findFirst()
    proxy.stall({ newOnes: false })
    expect(failureOf(await thrownBy(prisma.account.findFirst()))).toBe('temporary')
    await prisma.account.findFirst()
    const inside = prisma.$transaction(async (part) => {
      proxy.stall({ newOnes: false })
      await part.account.findFirst()
    })
    expect(failureOf(await thrownBy(inside))).toBe('temporary')
    await prisma.account.findFirst()
  })

  it('a connection that is accepted and never answered ends in time', async () => {
    const { proxy, target } = await pathTo()
    proxy.stall()
    const client = new PostgresClient({ target, connectionTimeoutMillis: DEADLINE_MS })
    expect(failureOf(await thrownBy(client.connect() as Promise<unknown>))).toBe('temporary')
  })

  it('an answer that came while this process was paused counts', async () => {
    const target = new PostgresTarget(database.url, { statementDeadline: DEADLINE_MS })
    const client = await PostgresClient.open({ target })
    const answer = client.query<{ one: number }>('SELECT 1 AS one')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DEADLINE_MS + 500)
    expect((await answer).rows).toEqual([{ one: 1 }])
    expect((await client.query<{ two: number }>('SELECT 2 AS two')).rows).toEqual([{ two: 2 }])
    await client.end()
  })

  it('statements that were sent together have the deadline each, counted from the answer before', async () => {
    const { target } = await pathTo()
    const client = await PostgresClient.open({ target })
    const each = Array.from({ length: 4 }, () => client.query('SELECT pg_sleep(0.5)'))
    await Promise.all(each)
    await client.end()
  })
})

it('a statement on a connection that is gone already is no silence, and nobody else loses a connection for it', async () => {
  const target = new PostgresTarget(database.url, { statementDeadline: 50 })
  let expired = 0
  target.on('expired', () => (expired += 1))
  const pool = createPool(target, { max: 2, prepare: true })
  undo.push(() => pool.end())
  const [broken, other] = [await pool.connect(), await pool.connect()]
  const gone = new Promise((resolve) => broken.once('end', resolve))
  broken.on('error', () => undefined)
  const { rows } = await broken.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  await database.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
  await gone
  // As a transaction does whose connection broke.
  expect(await thrownBy(broken.query('ROLLBACK'))).toBeInstanceOf(Error)
  broken.release(true)
  other.release()
  // Five times the deadline, which is what would pass.
  await new Promise((resolve) => setTimeout(resolve, 250))
  expect([expired, pool.idleCount]).toEqual([0, 1])
})
