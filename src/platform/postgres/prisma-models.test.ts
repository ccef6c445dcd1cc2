import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { useTestDatabase } from '../../../test/support/database.js'
import { describeSqlTables, tablesOfClient } from './prisma-models.js'

const database = useTestDatabase()
const schema = readFileSync(new URL('../../../prisma/schema.prisma', import.meta.url), 'utf8')
const CLIENTS = tablesOfClient(schema)

/** The models after `statement`, which is then taken back. */
async function describeAfter(statement: string): Promise<string> {
  const client = await database.pool.connect()
  try {
    await client.query('BEGIN')
    await client.query(statement)
    return await describeSqlTables(client, CLIENTS, '')
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
}

test('schema.prisma has a model of every table, and its client has only those of the Authentication Service', async () => {
  const { rows } = await database.pool.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND relname <> '_prisma_migrations'`,
  )
  const models = [...schema.matchAll(/@@map\("(\w+)"\)/g)].map((match) => match[1])
  expect(models.toSorted()).toEqual(rows.map(({ name }) => name).toSorted())
  expect([...CLIENTS].toSorted()).toEqual([
    'account',
    'challenge',
    'device',
    'invite',
    'refresh_token',
    'signature_key',
    'token_signing_key',
  ])
})

test.each([
  ['a table', 'CREATE TABLE more (id int)', 'model More {\n  id Int?\n\n  @@map("more")\n  @@ignore\n}'],
  ['a column', 'ALTER TABLE room ADD COLUMN more_of_it int[]', /moreOfIt +Int\[\] +@map\("more_of_it"\)/],
  ['a column that may be NULL', 'ALTER TABLE room ALTER COLUMN current_gid DROP NOT NULL', /currentGid +BigInt\?/],
  ['a default', `ALTER TABLE room ALTER COLUMN current_gid SET DEFAULT 7`, /currentGid +BigInt +@default\(7\)/],
  ['a type that Prisma does not have', 'ALTER TABLE room ADD COLUMN more xid8', 'Unsupported("xid8")?'],
  ['a key of two columns', 'CREATE TABLE more (a int, b_c int, PRIMARY KEY (b_c, a))', '@@id([bC, a])'],
])('%s shows in its model', async (_, statement, expected) => {
  const after = await describeAfter(statement)
  if (typeof expected === 'string') expect(after).toContain(expected)
  else expect(after).toMatch(expected)
})

test('comments of the migrations come along', async () => {
  const migration = '-- What it is.\nCREATE TABLE room (\n  room_id text PRIMARY KEY, -- how it is named\n  current_gid bigint\n);'
  const text = await describeSqlTables(database.pool, CLIENTS, migration)
  expect(text).toMatch(/\/\/\/ What it is\.\nmodel Room \{/)
  expect(text).toContain('/// how it is named')
})
