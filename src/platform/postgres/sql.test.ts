import { describe, expect, test } from '@jest/globals'
import { useTestDatabase } from '../../../test/support/database.js'
import { createPool, transaction } from './sql.js'

describe('the pool', () => {
  const database = useTestDatabase()

  test('hands 64-bit numbers over as bigint, also in arrays', async () => {
    const { rows } = await database.pool.query(
      'SELECT 9007199254740993::int8 AS one, ARRAY[1, NULL, 9007199254740993]::int8[] AS many, ARRAY[]::int8[] AS none',
    )
    expect(rows).toEqual([{ one: 9007199254740993n, many: [1n, null, 9007199254740993n], none: [] }])
  })

  test('takes bigint and bytes as parameters, also in arrays', async () => {
    const bytes = [Uint8Array.of(0, 255), Buffer.from('\\x00"')]
    const values = [[1n, 9007199254740993n], bytes, 5n]
    const { rows } = await database.pool.query('SELECT $1::int8[] AS ids, $2::bytea[] AS bytes, $3::int8 AS one', values)
    expect(rows).toEqual([{ ids: values[0], bytes: bytes.map((item) => Buffer.from(item)), one: 5n }])
  })

  test('gives bytea as Buffer and timestamptz as Date', async () => {
    const { rows } = await database.pool.query(`SELECT '\\x0102'::bytea AS bytes, 'epoch'::timestamptz AS at`)
    expect(rows).toEqual([{ bytes: Buffer.of(1, 2), at: new Date(0) }])
  })

  test('runs under the settings of the role', async () => {
    const { rows } = await database.pool.query(
      `SELECT name, setting FROM pg_settings WHERE name IN ('plan_cache_mode', 'jit', 'lock_timeout', 'synchronous_commit') ORDER BY name`,
    )
    expect(rows.map(({ name, setting }) => `${name}=${setting}`)).toEqual([
      'jit=off',
      'lock_timeout=2000',
      'plan_cache_mode=force_generic_plan',
      'synchronous_commit=on',
    ])
  })

  test.each([
    { prepare: true, statements: ['named'] },
    { prepare: false, statements: [] },
  ])('prepares named statements only where it may (prepare: $prepare)', async ({ prepare, statements }) => {
    const pool = createPool(database.url, { max: 1, prepare })
    try {
      const { rows } = await pool.query({ name: 'named', text: 'SELECT $1::int8 AS n', values: [7n] })
      expect(rows).toEqual([{ n: 7n }])
      const prepared = await pool.query<{ name: string }>('SELECT name FROM pg_prepared_statements')
      expect(prepared.rows.map(({ name }) => name)).toEqual(statements)
    } finally {
      await pool.end()
    }
  })
})

describe('a transaction', () => {
  const database = useTestDatabase()

  test('commits what its work did, and rolls it back if the work throws', async () => {
    await database.pool.query('CREATE TABLE note (text text)')
    const write = (text: string) => transaction(database.pool, (sql) => sql.query('INSERT INTO note VALUES ($1)', [text]))
    await write('kept')
    const failing = transaction(database.pool, async (sql) => {
      await sql.query(`INSERT INTO note VALUES ('lost')`)
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    expect((await database.pool.query('SELECT text FROM note')).rows).toEqual([{ text: 'kept' }])
    expect(database.pool.idleCount).toBe(database.pool.totalCount)
  })

  test('gives a connection that broke inside it back to nobody', async () => {
    const broken = transaction(database.pool, (sql) => sql.query('SELECT pg_terminate_backend(pg_backend_pid())'))
    await expect(broken).rejects.toThrow(/terminat/)
    await expect(database.pool.query('SELECT 1 AS one')).resolves.toMatchObject({ rows: [{ one: 1 }] })
  })
})
