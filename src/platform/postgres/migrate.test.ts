import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js'
import { migrate, MigrationError } from './migrate.js'

let database: TestDatabase
let folder: string

beforeEach(async () => {
  database = await createTestDatabase()
  await database.pool.query('DELETE FROM _prisma_migrations')
  await database.pool.query('DELETE FROM function_file')
  folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  await Promise.all(['migrations', 'functions'].map((part) => mkdir(join(folder, part))))
})

afterEach(async () => {
  await database.drop()
  await rm(folder, { recursive: true })
})

const write = async (name: string, sql: string): Promise<void> => {
  await mkdir(join(folder, 'migrations', name), { recursive: true })
  await writeFile(join(folder, 'migrations', name, 'migration.sql'), sql)
}
const writeFunctions = (name: string, sql: string): Promise<void> => writeFile(join(folder, 'functions', `${name}.sql`), sql)
const answering = (name: string, answer: number): string =>
  `CREATE OR REPLACE FUNCTION ${name}() RETURNS int LANGUAGE sql AS $$ SELECT ${answer} $$;`
const ask = async (name: string): Promise<unknown> => {
  const { rows } = await database.pool.query<{ answer: number }>(`SELECT ${name}() AS answer`)
  return rows[0]?.answer
}
const run = (): Promise<string[]> => migrate(database.url, folder)
const recorded = async (): Promise<string[]> => {
  const { rows } = await database.pool.query<{ name: string }>(
    'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY finished_at',
  )
  return rows.map(({ name }) => name)
}

describe('migrate', () => {
  test('applies what is new, in the order of names, and only once', async () => {
    await write('2_second', 'INSERT INTO thing VALUES (1)')
    await write('1_first', 'CREATE TABLE thing (id int)')
    expect(await run()).toEqual(['1_first', '2_second'])
    expect(await run()).toEqual([])
    await write('3_third', 'INSERT INTO thing VALUES (2)')
    expect(await run()).toEqual(['3_third'])
    expect(await recorded()).toEqual(['1_first', '2_second', '3_third'])
    expect((await database.pool.query('SELECT id FROM thing')).rows).toEqual([{ id: 1 }, { id: 2 }])
  })

  test('takes scripts with several statements and function bodies', async () => {
    await write(
      '1_function',
      `CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN n := n * 2; RETURN n; END $$; SELECT twice(2);`,
    )
    await run()
    expect((await database.pool.query('SELECT twice(21) AS n')).rows).toEqual([{ n: 42 }])
  })

  test('rolls a failing migration back as a whole and names it, its line and the reason', async () => {
    await write('1_good', 'CREATE TABLE thing (id int)')
    await write('2_bad', 'INSERT INTO thing VALUES (1);\nCREATE TABLE half (id int);\nINSERT INTO nowhere VALUES (1);')
    await expect(run()).rejects.toThrow(/2_bad .*rolled back: relation "nowhere" does not exist \(line 3\)/)
    expect(await recorded()).toEqual(['1_good'])
    expect((await database.pool.query(`SELECT to_regclass('half') AS half, count(*) AS things FROM thing`)).rows).toEqual([
      { half: null, things: 0n },
    ])
    await write('2_bad', 'INSERT INTO thing VALUES (1)')
    expect(await run()).toEqual(['2_bad'])
  })

  test('undoes a migration whose record cannot be written', async () => {
    await write('1_first', `ALTER TABLE _prisma_migrations ADD CHECK (migration_name <> '1_first'); CREATE TABLE half (id int)`)
    await expect(run()).rejects.toThrow(/1_first failed and was rolled back/)
    expect((await database.pool.query(`SELECT to_regclass('half') AS half`)).rows).toEqual([{ half: null }])
  })

  test('refuses a migration that was changed after it had been applied, and applies nothing else then', async () => {
    await write('1_first', 'CREATE TABLE thing (id int)')
    await run()
    await write('1_first', 'CREATE TABLE thing (id bigint)')
    await write('2_second', 'CREATE TABLE other (id int)')
    await expect(run()).rejects.toThrow(MigrationError)
    await expect(run()).rejects.toThrow(/1_first was changed/)
    expect(await recorded()).toEqual(['1_first'])
  })

  test('refuses to continue after a migration that another tool left half done', async () => {
    await write('1_first', 'CREATE TABLE thing (id int)')
    await database.pool.query(`INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'y', '1_first')`)
    await expect(run()).rejects.toThrow(/1_first was started/)
  })

  test('lets nodes that start together apply each migration once', async () => {
    await write('1_slow', 'CREATE TABLE thing (id int); SELECT pg_sleep(0.2); INSERT INTO thing VALUES (1)')
    const results = await Promise.all([run(), run(), run(), run()])
    expect(results.flat()).toEqual(['1_slow'])
  })

  test('builds an index while others write, also where nodes start together, and again where an attempt before was cut off', async () => {
    await write('1_first', 'CREATE TABLE thing (id int)')
    await run()
    await write('2_index', '-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS thing_id\n  ON thing (id);')
    const writer = await database.pool.connect()
    try {
      await writer.query('BEGIN; INSERT INTO thing VALUES (1)')
      const running = Promise.allSettled([run(), run(), run()])
      const isWaiting = () =>
        database.pool.query(
          "SELECT FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()",
        )
      while ((await isWaiting()).rowCount === 0) await new Promise(setImmediate)
      await database.pool.query("BEGIN; SET LOCAL lock_timeout = '10s'; INSERT INTO thing VALUES (1); COMMIT")
      await writer.query('COMMIT')
      for (const each of await running) expect(String((each as { reason?: unknown }).reason)).toMatch(/2_index failed .*unique index/)
    } finally {
      writer.release()
    }
    await database.pool.query('DELETE FROM thing WHERE ctid = (SELECT max(ctid) FROM thing)')
    const again = await Promise.all([run(), run(), run()])
    expect(again.flat()).toEqual(['2_index'])
    expect((await database.pool.query(`SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = 'thing_id'::regclass`)).rows).toEqual([
      { valid: true },
    ])
  })

  test('refuses a database from before the first release', async () => {
    await database.pool.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('x', 'y', '0_earlier', now())`,
    )
    await write('1_first', 'CREATE TABLE thing (id int)')
    await expect(run()).rejects.toThrow('older than the first release')
    expect(await recorded()).toEqual(['0_earlier'])
  })

  test('may take longer than the time-out of the role it runs as', async () => {
    const role = new URL(database.url).username
    await database.pool.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET statement_timeout = '50ms'`)
    await database.pool.query(`ALTER ROLE ${role} IN DATABASE ${new URL(database.url).pathname.slice(1)} SET statement_timeout = '50ms'`)
    await write('1_slow', 'SELECT pg_sleep(0.2)')
    expect(await run()).toEqual(['1_slow'])
  })
})

describe('migrate, of functions', () => {
  test('applies them after the tables, and again whenever their text has changed', async () => {
    await write('1_first', 'CREATE TABLE thing (id int)')
    await writeFunctions('count', 'CREATE FUNCTION things() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM thing $$;')
    await writeFunctions('other', answering('other', 1))
    expect(await run()).toEqual(['1_first', 'functions/count', 'functions/other'])
    expect(await run()).toEqual([])
    await writeFunctions('other', answering('other', 2))
    expect(await run()).toEqual(['functions/other'])
    expect(await ask('other')).toBe(2)
  })

  test('applies all of them or none, and names the file, the line and the reason', async () => {
    await writeFunctions('a', answering('a', 1))
    await writeFunctions('b', answering('b', 1))
    await run()
    await writeFunctions('a', answering('a', 2))
    await writeFunctions('b', `-- A comment.\nCREATE FUNCTION b() RETURNS nonsense LANGUAGE sql AS $$ SELECT 1 $$;`)
    await expect(run()).rejects.toThrow(MigrationError)
    await expect(run()).rejects.toThrow(/functions\/b\.sql failed, .*nonsense/)
    expect(await ask('a')).toBe(1)
  })

  test('a node of the release before, started again, leaves those of the later release in force', async () => {
    await writeFunctions('a', answering('a', 1))
    await run()
    await writeFunctions('a', answering('a', 2))
    await run()
    await writeFunctions('a', answering('a', 1))
    expect(await run()).toEqual([])
    expect(await ask('a')).toBe(2)
  })

  test('a node of the release before leaves the functions of a database that a later release made', async () => {
    await write('1_first', 'SELECT 1')
    await write('2_later', 'SELECT 1')
    await writeFunctions('a', answering('a', 2))
    await run()
    await rm(join(folder, 'migrations', '2_later'), { recursive: true })
    await writeFunctions('a', answering('a', 1))
    expect(await run()).toEqual([])
    expect(await ask('a')).toBe(2)
  })

  test('lets nodes that start together apply each once', async () => {
    await writeFunctions('slow', `SELECT pg_sleep(0.2); ${answering('slow', 1)}`)
    expect((await Promise.all([run(), run(), run()])).flat()).toEqual(['functions/slow'])
  })
})
