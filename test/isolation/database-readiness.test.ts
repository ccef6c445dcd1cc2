import { afterEach, describe, expect, it } from '@jest/globals'
import { Client } from 'pg'
import type { TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { postgresProxy } from '../support/network/postgres-proxy.js'
import { testEnvironment } from '../support/server.js'
import { runMain } from '../support/run-main.js'
import { alter, DatabaseWorld, nameOf } from './database-fixture.js'

const ALL_OK = { serving: 'ok', database: 'ok', migrations: 'ok', writes: 'ok', clock: 'ok', keys: 'ok' }

const world = new DatabaseWorld()
afterEach(() => world.clear())

/** A function of the test in the place of one of PostgreSQL's, for sessions from now on. */
async function replace(database: TestDatabase, definition: string): Promise<void> {
  await database.pool.query(definition)
  await alter(database, 'SET search_path = public, pg_catalog')
}

describe('readiness', () => {
  it('names each check', async () => {
    const { ready } = await world.serve(await world.database())
    expect(await ready()).toEqual({ http: 200, status: 'ok', checks: ALL_OK })
  })

  it('says no while PostgreSQL is silent, to every caller, with one look at a time; and yes again by itself', async () => {
    const database = await world.database()
    const proxy = await postgresProxy(database.url)
    world.later(() => proxy.close())
    const { ready } = await world.serve({ ...database, url: proxy.url }, { PG_STATEMENT_DEADLINE: '10m' })
    expect(await ready()).toMatchObject({ http: 200 })
    const before = proxy.made()
    proxy.stall()
    const askers = Array.from({ length: 20 }, () => ready)
    // The answer from before is kept for a second.
    const answers = await eventually(
      () => Promise.all(askers.map((ask) => ask())),
      (found) => found.every(({ http }) => http === 503),
    )
    for (const answer of answers)
      expect(answer).toEqual({
        http: 503,
        status: 'unavailable',
        checks: { serving: 'ok', database: 'failing', migrations: 'unknown', writes: 'unknown', clock: 'unknown', keys: 'unknown' },
      })
    expect(proxy.made() - before).toBeLessThan(askers.length / 2)
    proxy.resume()
    await eventually(ready, ({ http }) => http === 200)
  })

  it('is lost while PostgreSQL takes no writes, which are 503 with Retry-After, and comes back with them', async () => {
    const database = await world.database()
    const { ready, get } = await world.serve(database)
    const write = () => get('v1/database/write')
    expect((await write()).status).toBe(200)
    await alter(database, 'SET default_transaction_read_only = on')
    await endSessions(database)
    // A connection of the pool may not have noticed yet that its session ended; that is 503 too, with another wait.
    const refused = await eventually(write, ({ retryAfter }) => retryAfter === '2')
    expect(refused).toMatchObject({ status: 503, body: { type: 'urn:microchat:problem:unavailable' } })
    expect(await get('v1/database/write-by-prisma')).toMatchObject({ status: 503, retryAfter: '2' })
    expect(await get('v1/database/read')).toMatchObject({ status: 200 })
    expect(await ready()).toMatchObject({ http: 503, status: 'unavailable', checks: { ...ALL_OK, writes: 'failing' } })

    const admin = new Client({ connectionString: database.url })
    await admin.connect()
    await admin.query('SET default_transaction_read_only = off')
    await admin.query(`ALTER DATABASE ${nameOf(database)} RESET default_transaction_read_only`)
    await admin.end()
    await endSessions(database)
    await eventually(ready, ({ http }) => http === 200)
    expect((await write()).status).toBe(200)
  })

  it('is degraded while the disk is full, and well again once there is room', async () => {
    const database = await world.database()
    // Where the probe would write to the disk, and where a statement of the server does.
    await replace(
      database,
      `CREATE TABLE no_room AS SELECT true AS full;
       CREATE FUNCTION public.repeat(text, int) RETURNS text LANGUAGE plpgsql AS $$
         BEGIN
           IF (SELECT "full" FROM public.no_room) THEN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END IF;
           RETURN pg_catalog.repeat($1, $2);
         END $$`,
    )
    const { ready, get } = await world.serve(database)
    expect(await ready()).toMatchObject({ http: 200, status: 'ok' })
    expect(await get('v1/database/raise/53100')).toMatchObject({ status: 503, retryAfter: '10' })
    await eventually(ready, ({ status }) => status === 'degraded')
    expect(await ready()).toEqual({ http: 200, status: 'degraded', checks: { ...ALL_OK, writes: 'degraded' } })
    await database.pool.query('UPDATE no_room SET "full" = false')
    await eventually(ready, ({ status }) => status === 'ok')
  })

  it.each([
    ['ahead', '-', 600],
    ['behind', '+', -600],
  ])('is lost with a clock ten minutes %s, and that is logged as an error', async (_which, sign, seconds) => {
    const database = await world.database()
    await replace(
      database,
      `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
         AS $$ SELECT pg_catalog.clock_timestamp() ${sign} interval '10 min' $$`,
    )
    const { ready, lines, metrics } = await world.serve(database)
    expect(await ready()).toMatchObject({ http: 503, status: 'unavailable', checks: { ...ALL_OK, clock: 'failing' } })
    await ready()
    const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error')
    expect(errors).toEqual([expect.objectContaining({ check: 'clock', msg: expect.stringContaining('run NTP') })])
    const skew = Number(/^clock_skew_seconds (\S+)$/m.exec(await metrics())?.[1])
    expect(Math.abs(skew - seconds)).toBeLessThan(60)
  })

  it('keeps a clock that is off by less than CLOCK_SKEW_LIMIT', async () => {
    const database = await world.database()
    await replace(
      database,
      `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
         AS $$ SELECT pg_catalog.clock_timestamp() - interval '1 min' $$`,
    )
    const { ready } = await world.serve(database, { CLOCK_SKEW_LIMIT: '5m' })
    expect(await ready()).toMatchObject({ http: 200 })
  })

  it('is lost when SERVER_SECRET does not open the keys of the database', async () => {
    const database = await world.database()
    const { ready, server } = await world.serve(database)
    await fetch(`${server.url}/.well-known/jwks.json`)
    expect(await ready()).toMatchObject({ http: 200 })
    await database.pool.query(`UPDATE token_signing_key SET sealed_private = '\\x01'`)
    await eventually(ready, ({ checks }) => checks['keys'] === 'failing')
    expect(await ready()).toMatchObject({ http: 503, status: 'unavailable' })
  })
})

describe('a start', () => {
  it('is refused with a SERVER_SECRET that opens no key of the database, in one sentence', async () => {
    const database = await world.database()
    const { server } = await world.serve(database)
    await fetch(`${server.url}/.well-known/jwks.json`)
    const other = Buffer.alloc(32, 0x77).toString('base64')
    const { code, err } = await runMain(testEnvironment(database.url, { SERVER_SECRET: other }))
    expect(code).toBe(1)
    expect(err).toMatch(/SERVER_SECRET does not open (\d+) of \1 keys in this database: it belongs to another/)
    expect(err).not.toContain(other)
  })

  it('ends with a sentence where PostgreSQL accepts connections and says nothing', async () => {
    const database = await world.database()
    const proxy = await postgresProxy(database.url)
    world.later(() => proxy.close())
    proxy.stall()
    const { code, err } = await runMain(testEnvironment(proxy.url))
    expect([code, err.trim()]).toEqual([1, expect.stringMatching(/^PostgreSQL does not answer\./)])
  })
})

async function endSessions(database: TestDatabase): Promise<void> {
  const admin = new Client({ connectionString: database.url })
  await admin.connect()
  await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
  await admin.end()
}
