import { describe, expect, it } from '@jest/globals'
import { createPrisma } from '../../src/platform/postgres/prisma.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import { isTemporary } from '../../src/platform/postgres/temporary.js'
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
    expect(isTemporary(await thrownBy(pool.query('SELECT 1')))).toBe(true)
    expect(isTemporary(await thrownBy(prisma.account.findFirst()))).toBe(true)
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
    for (const error of await Promise.all(failing)) expect(isTemporary(error)).toBe(true)
    await prisma.$disconnect()
  })
})

describe('not worth another try is what fails for', () => {
  it('a statement that is wrong', async () => {
    expect(isTemporary(await thrownBy(database.pool.query('SELECT nothing')))).toBe(false)
  })
  it('a mistake of ours', () => {
    for (const thrown of [new TypeError('x is undefined'), 'ECONNREFUSED', undefined]) expect(isTemporary(thrown)).toBe(false)
  })
})
