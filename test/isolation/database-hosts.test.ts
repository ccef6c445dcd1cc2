import { afterEach, describe, expect, it } from '@jest/globals'
import { Client } from 'pg'
import { parseDatabaseUrl } from '../../src/platform/postgres/client/database-url.js'
import { NoWritableHost, PostgresTarget } from '../../src/platform/postgres/client/postgres-target.js'
import { failureOf } from '../../src/platform/postgres/failures.js'
import { migrate } from '../../src/platform/postgres/migrate.js'
import { createPrisma } from '../../src/platform/postgres/prisma.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import type { TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { freePort } from '../support/free-port.js'
import { postgresProxy } from '../support/network/postgres-proxy.js'
import { DatabaseWorld, nameOf } from './database-fixture.js'

const world = new DatabaseWorld()
afterEach(() => world.clear())

const thrownBy = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

/** A URL of several hosts: those of the URLs given, with the rest of the first. */
function together(urls: readonly string[], query = ''): string {
  const [first = ''] = urls
  const url = new URL(first)
  return first.replace(url.host, urls.map((one) => new URL(one).host).join(',')) + query
}

/** Two databases as the two PostgreSQL of a pair; the name of the second is that of the first by way of its proxy. */
async function pair() {
  const [one, two] = [await world.database(), await world.database()]
  for (const [which, database] of [one, two].entries()) await database.pool.query(`CREATE TABLE host AS SELECT ${which} AS n`)
  const proxies = await Promise.all([one, two].map(({ url }) => postgresProxy(url, nameOf(one))))
  for (const proxy of proxies) world.later(() => proxy.close())
  return { databases: [one, two] as const, proxies, url: together(proxies.map(({ url }) => url)) }
}

/** As a failover does it: sessions end, and new ones find that nothing can be written; or the other way round. */
async function setReadOnly({ url }: TestDatabase, readOnly: boolean): Promise<void> {
  const admin = new Client({ connectionString: url })
  await admin.connect()
  await admin.query('SET default_transaction_read_only = off')
  const name = new URL(url).pathname.slice(1)
  await admin.query(`ALTER DATABASE ${name} SET default_transaction_read_only = ${readOnly ? 'on' : 'off'}`)
  await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
  await admin.end()
}

const WHICH = 'SELECT n FROM host'

describe('a database URL of several hosts', () => {
  it.each([
    ['postgres://u:p@h1:5432,h2:5433/db', ['postgres://u:p@h1:5432/db', 'postgres://u:p@h2:5433/db'], true],
    [
      'postgresql://h1,h2/db?sslmode=verify-full',
      ['postgresql://h1/db?sslmode=verify-full', 'postgresql://h2/db?sslmode=verify-full'],
      true,
    ],
    ['postgres://h1,[::1]:6000/db?target_session_attrs=any', ['postgres://h1/db', 'postgres://[::1]:6000/db'], false],
    ['postgres://h1/db', ['postgres://h1/db'], false],
    ['postgres://h1/db?target_session_attrs=read-write', ['postgres://h1/db'], true],
    ['postgres://h1/db?target_session_attrs=primary&sslmode=disable', ['postgres://h1/db?sslmode=disable'], true],
    ['postgres:///db?host=/tmp', ['postgres:///db?host=/tmp'], false],
  ])('%s is read', (text, urls, writable) => {
    expect(parseDatabaseUrl(text)).toEqual({ urls, writable })
  })
  it.each([
    'mysql://h/db',
    'h/db',
    'postgres://h1,,h2/db',
    'postgres://h1,/db',
    'postgres://h1:port/db',
    'postgres://h1:99999,h2/db',
    'postgres://h1,h2/db?target_session_attrs=standby',
  ])('%s is refused', (text) => expect(parseDatabaseUrl(text)).toBeUndefined())
})

describe('with several hosts, connections', () => {
  it('go to the first in order that takes writes, past one that does not, is silent, or is not there', async () => {
    const { databases, proxies, url } = await pair()
    expect(await new PostgresTarget(url).choose()).toBe(proxies[0]!.url)
    await setReadOnly(databases[0], true)
    expect(await new PostgresTarget(url).choose()).toBe(proxies[1]!.url)
    await setReadOnly(databases[0], false)
    proxies[0]!.stall()
    expect(await new PostgresTarget(url).choose()).toBe(proxies[1]!.url)
    const nowhere = new URL(proxies[0]!.url)
    nowhere.port = String(await freePort())
    expect(await new PostgresTarget(together([nowhere.href, proxies[1]!.url])).choose()).toBe(proxies[1]!.url)
  })

  it('go to the first that answers where target_session_attrs is any, whether it takes writes or not', async () => {
    const { databases, proxies, url } = await pair()
    await setReadOnly(databases[0], true)
    const pool = createPool(`${url}?target_session_attrs=any`, { max: 1, prepare: true })
    world.later(() => pool.end())
    expect((await pool.query(WHICH)).rows).toEqual([{ n: 0 }])
    proxies[0]!.stall()
    expect(await new PostgresTarget(`${url}?target_session_attrs=any`).choose()).toBe(proxies[1]!.url)
  })

  it('of pool and Prisma move by themselves when the one turns read-only and the other takes over, and back', async () => {
    const { databases, url } = await pair()
    const target = new PostgresTarget(url)
    const pool = createPool(target, { max: 3, prepare: true })
    world.later(() => pool.end())
    const prisma = createPrisma(target, { max: 2 })
    world.later(() => prisma.$disconnect())
    const where = async () => {
      const asked = [1, 2, 3].map(async () => (await pool.query<{ n: number }>(WHICH)).rows[0]?.n)
      const byPrisma = prisma.$queryRawUnsafe<{ n: number }[]>(WHICH).then(([row]) => row?.n)
      return Promise.all([...asked, byPrisma]).catch((error: unknown) => [error])
    }
    await setReadOnly(databases[1], true)
    await eventually(where, (found) => String(found) === '0,0,0,0')
    await setReadOnly(databases[0], true)
    await setReadOnly(databases[1], false)
    await eventually(where, (found) => String(found) === '1,1,1,1')
    await setReadOnly(databases[1], true)
    await setReadOnly(databases[0], false)
    await eventually(where, (found) => String(found) === '0,0,0,0')
  })

  it('leave a host that turns read-only without ending its sessions', async () => {
    const { url, databases } = await pair()
    const pool = createPool(url, { max: 1, prepare: true })
    world.later(() => pool.end())
    expect((await pool.query(WHICH)).rows).toEqual([{ n: 0 }])
    // New sessions are read-only from now on, and this one says so of itself, as after a reload of the configuration.
    const name = nameOf(databases[0])
    await databases[0].pool.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    await pool.query('SET default_transaction_read_only = on')
    await eventually(
      () => pool.query<{ n: number }>(WHICH).then(({ rows }) => rows[0]?.n),
      (n) => n === 1,
    )
  })

  it('leave a host that falls silent', async () => {
    const { url, proxies } = await pair()
    const pool = createPool(new PostgresTarget(url, { statementDeadline: 500 }), { max: 1, prepare: true })
    world.later(() => pool.end())
    expect((await pool.query(WHICH)).rows).toEqual([{ n: 0 }])
    proxies[0]!.stall()
    expect(failureOf(await thrownBy(pool.query(WHICH)))).toBe('temporary')
    expect((await pool.query(WHICH)).rows).toEqual([{ n: 1 }])
  })

  it('are refused as temporarily unavailable while none takes writes', async () => {
    const { databases, url } = await pair()
    for (const database of databases) await setReadOnly(database, true)
    const pool = createPool(url, { max: 1, prepare: true })
    world.later(() => pool.end())
    const error = await thrownBy(pool.query(WHICH))
    expect(error).toBeInstanceOf(NoWritableHost)
    expect(failureOf(error)).toBe('temporary')
    const prisma = createPrisma(url, { max: 1 })
    world.later(() => prisma.$disconnect())
    expect(failureOf(await thrownBy(prisma.account.findFirst()))).toBe('temporary')
    await setReadOnly(databases[1], false)
    expect((await pool.query(WHICH)).rows).toEqual([{ n: 1 }])
  })

  it('of migrations and of a whole server, jobs included, go there as well', async () => {
    const { databases, proxies, url } = await pair()
    await setReadOnly(databases[0], true)
    expect(await migrate(url)).toEqual([])
    const { get, ready } = await world.serve({ ...databases[1], url })
    expect(await get('v1/database/write')).toMatchObject({ status: 200 })
    expect(await ready()).toMatchObject({ http: 200 })
    expect((await databases[1].pool.query('SELECT count(*)::int AS n FROM written')).rows).toEqual([{ n: 1 }])
    // Jobs on PostgreSQL have made their tables there.
    await eventually(
      async () => (await databases[1].pool.query(`SELECT to_regclass('bullmq.job')::text AS found`)).rows[0]?.found,
      (found) => found !== null,
    )
    const made = proxies[0]!.made()
    await get('v1/database/write')
    expect(proxies[0]!.made()).toBe(made)
  })
})
