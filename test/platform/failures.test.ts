import { describe, expect, it } from '@jest/globals'
import { createPrisma } from '../../src/platform/postgres/prisma.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import { failureOf } from '../../src/platform/postgres/failures.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'

const database = useTestDatabase()

const ABSENT = [
  ['a name that is gone', 'postgres://nobody:x@postgres.invalid/x'],
  ['a port where nobody listens', 'postgres://nobody:x@127.0.0.1:1/x'],
]

const thrownBy = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('worth another try is what fails for', () => {
  it.each(ABSENT)('%s, by pg and by Prisma', async (_name, url) => {
    const pool = createPool(url, { max: 1, prepare: true })
    const prisma = createPrisma(url, { max: 1 })
    expect(failureOf(await thrownBy(pool.query('SELECT 1')))).toBe('temporary')
    expect(failureOf(await thrownBy(prisma.account.findFirst()))).toBe('temporary')
    await prisma.$disconnect()
    await pool.end()
  })

  it('a session that PostgreSQL ends in the middle, by pg and by Prisma', async () => {
    const prisma = createPrisma(database.url, { max: 1 })
    const failing = [database.pool.query('SELECT pg_sleep(60)'), prisma.$queryRaw`SELECT pg_sleep(60)`].map(thrownBy)
    const end = () =>
      database.pool.query(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
      )
    // One may be ended before the other has begun.
    const ended = new Set<number>()
    await eventually(end, ({ rows }) => rows.reduce((pids, { pid }) => pids.add(pid), ended).size === 2)
    for (const error of await Promise.all(failing)) expect(failureOf(error)).toBe('temporary')
    await prisma.$disconnect()
  })
})

describe('not worth another try is what fails for', () => {
  it('a statement that is wrong', async () => {
    expect(failureOf(await thrownBy(database.pool.query('SELECT nothing')))).toBeUndefined()
  })
  it('a mistake in the server', () => {
    for (const thrown of [new TypeError('x is undefined'), 'ECONNREFUSED', undefined]) expect(failureOf(thrown)).toBeUndefined()
  })
})
