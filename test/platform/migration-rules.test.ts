import { describe, expect, it } from '@jest/globals'
import { faultsOf } from '../../tools/migrations.mjs'

describe('a migration beside a running server', () => {
  it.each([
    ['builds an index that blocks writes', 'CREATE INDEX log_x ON log (gid)'],
    ['builds one without a name', 'CREATE UNIQUE INDEX ON ONLY device (client_uri)'],
    ['builds one concurrently among other statements', 'CREATE INDEX CONCURRENTLY IF NOT EXISTS x ON log (gid); SELECT 1'],
    ['builds one concurrently that cannot be repeated', 'CREATE INDEX CONCURRENTLY x ON log (gid)'],
    ['checks all rows', 'ALTER TABLE inbox DROP CONSTRAINT inbox_kind_check, ADD CONSTRAINT inbox_kind_check CHECK (kind IN (1, 2))'],
    ['checks all rows for a key', 'ALTER TABLE member ADD FOREIGN KEY (device_id) REFERENCES device (id)'],
    ['adds a primary key', 'ALTER TABLE welcome ADD PRIMARY KEY (gid, seq)'],
    ['adds a column with a check', "ALTER TABLE group_policy ADD COLUMN x text NOT NULL DEFAULT 'any' CHECK (x IN ('any', 'none'))"],
    ['adds a column that the release before does not fill', 'ALTER TABLE device ADD COLUMN x int NOT NULL'],
    ['adds a column with a value for each row', 'ALTER TABLE device ADD COLUMN x uuid DEFAULT gen_random_uuid()'],
    ['leaves out the word COLUMN', 'ALTER TABLE device ADD x int NOT NULL'],
    ['names the schema', 'ALTER TABLE public.device ADD COLUMN x uuid DEFAULT gen_random_uuid()'],
    ['builds an index for a table with a row for each group', 'CREATE INDEX x ON public.followed_group (hub)'],
    ['changes a type', 'ALTER TABLE account ALTER COLUMN user_uri TYPE varchar(9)'],
    ['reads all rows for a NULL', 'ALTER TABLE account ALTER user_uri SET NOT NULL'],
    ['validates at once', 'ALTER TABLE inbox ADD CONSTRAINT k CHECK (kind > 0) NOT VALID; ALTER TABLE inbox VALIDATE CONSTRAINT k'],
    ['drops a table', 'DROP TABLE IF EXISTS equivocation'],
    ['drops a column', 'ALTER TABLE followed_group DROP COLUMN x'],
    ['drops one of a small table', 'ALTER TABLE peer DROP x'],
    ['renames a column', 'ALTER TABLE peer RENAME COLUMN x TO y'],
    ['writes all rows', 'UPDATE device SET x = 1'],
    ['deletes rows', 'DELETE FROM ONLY public.inbox WHERE kind = 1'],
  ])('%s: refused', (_what, sql) => expect(faultsOf(sql)).toHaveLength(1))

  it.each([
    ['builds an index concurrently, alone', '-- Why; and how.\nCREATE INDEX CONCURRENTLY IF NOT EXISTS log_x\n  ON log (gid);'],
    ['builds an index for its own table', 'CREATE TABLE thing (id int PRIMARY KEY, CHECK (id > 0)); CREATE INDEX ON thing (id)'],
    ['alters a small table', 'ALTER TABLE peer ADD COLUMN n int NOT NULL DEFAULT 0 CHECK (n > 0)'],
    ['checks new rows only', 'ALTER TABLE inbox DROP CONSTRAINT k, ADD CONSTRAINT k CHECK (kind IN (1, 2)) NOT VALID'],
    ['checks old rows later', 'ALTER TABLE inbox VALIDATE CONSTRAINT k'],
    [
      'adds columns',
      "ALTER TABLE device ADD COLUMN x int[] NOT NULL DEFAULT '{}', ADD COLUMN y text, ADD COLUMN z timestamptz DEFAULT now()",
    ],
    ['drops what it has made', 'CREATE TABLE thing (id int); DROP TABLE thing'],
    ['drops a constraint and a default', 'ALTER TABLE inbox DROP CONSTRAINT k, ALTER COLUMN x DROP DEFAULT'],
    ['writes a small table', 'UPDATE peer SET x = 1'],
    ['speaks of an index', "-- CREATE INDEX x ON log (gid);\nCOMMENT ON TABLE log IS 'CREATE INDEX x ON log (gid);'"],
  ])('%s: allowed', (_what, sql) => expect(faultsOf(sql)).toEqual([]))
})
