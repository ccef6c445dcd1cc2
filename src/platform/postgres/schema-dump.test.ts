import { expect, test } from '@jest/globals'
import { useTestDatabase } from '../../../test/support/database.js'
import { describeSchema } from './schema-dump.js'

const database = useTestDatabase()

/** The dump after `statement`, which is then taken back. */
async function describeAfter(statement: string): Promise<string> {
  const client = await database.pool.connect()
  try {
    await client.query('BEGIN')
    await client.query(statement)
    return await describeSchema(client)
  } finally {
    await client.query('ROLLBACK')
    client.release()
  }
}

test.each([
  ['a table', 'CREATE TABLE more (id int)'],
  ['a column', 'ALTER TABLE room ADD COLUMN more int'],
  ['a type of a column', 'ALTER TABLE room ALTER COLUMN current_gid TYPE int'],
  ['NOT NULL', 'ALTER TABLE room ALTER COLUMN current_gid DROP NOT NULL'],
  ['a default', 'ALTER TABLE room ALTER COLUMN created_at DROP DEFAULT'],
  ['an identity', 'ALTER TABLE device_news ALTER COLUMN id DROP IDENTITY'],
  ['how a column is stored', 'ALTER TABLE key_package ALTER COLUMN bytes SET STORAGE MAIN'],
  ['a fill factor', 'ALTER TABLE groups SET (fillfactor = 60)'],
  ['a check', 'ALTER TABLE groups DROP CONSTRAINT groups_mode_check'],
  ['a foreign key', 'ALTER TABLE device DROP CONSTRAINT device_account_id_fkey'],
  ['a primary key', 'ALTER TABLE room DROP CONSTRAINT room_pkey'],
  ['an index', 'DROP INDEX member_present'],
  ['an index of a partitioned table', 'DROP INDEX log_by_hash'],
  ['a partition', 'DROP TABLE log_7'],
  ['a trigger', 'DROP TRIGGER record_incarnation ON groups'],
  ['a body of a function', `CREATE OR REPLACE FUNCTION provider_of(uri text) RETURNS text LANGUAGE sql AS $$ SELECT uri $$`],
  ['an aggregate', 'DROP AGGREGATE log_chain_fold(bytea, bigint, text, bigint, bytea)'],
  ['a composite type', 'CREATE TYPE more AS (n int)'],
  ['a sequence', 'CREATE SEQUENCE more'],
])('%s shows in the dump', async (_, statement) => {
  expect(await describeAfter(statement)).not.toBe(await describeSchema(database.pool))
})

test.each([
  ['a view', 'CREATE VIEW more AS SELECT 1 AS n', 'relation more'],
  ['an enumeration', `CREATE TYPE more AS ENUM ('a')`, 'type more'],
  ['a procedure', 'CREATE PROCEDURE more() LANGUAGE sql AS $$ SELECT 1 $$', 'function more'],
  ['a rule', 'CREATE RULE more AS ON DELETE TO room DO INSTEAD NOTHING', 'rule more'],
])('%s, which the dump could not show, is an error', async (_, statement, name) => {
  await expect(describeAfter(statement)).rejects.toThrow(name)
})
