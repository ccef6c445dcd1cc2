import { readFile } from 'node:fs/promises'
import { expect, it } from '@jest/globals'
import { appendMessages } from '../../src/delivery/append/append.repository.js'
import { messageOf, newGroup } from '../ordering/submission-fixture.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()
const MIGRATION = new URL('../../prisma/migrations/20261130010300_usage/migration.sql', import.meta.url)

it('the migration that adds the counter of a group’s bytes counts what a filled database has', async () => {
  const { pool } = database
  const [full, empty, deleted] = [await newGroup(pool, 1n), await newGroup(pool, 1n), await newGroup(pool, 1n)]
  await appendMessages(pool, [messageOf(full.gid, 1n, 0n), messageOf(full.gid, 1n, 0n), messageOf(deleted.gid, 1n, 0n)], 5)
  await pool.query(`INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at) VALUES ($1, 1, 1, 1, 'welcome', now())`, [full.gid])
  for (const table of ['group_info', 'group_tree'])
    await pool.query(`INSERT INTO ${table} (gid, epoch, bytes) VALUES ($1, 70, 'described')`, [full.gid])
  await pool.query(`INSERT INTO group_snapshot (gid, epoch, seq, bytes) VALUES ($1, 70, 1, 'snapshot')`, [full.gid])
  await pool.query('UPDATE groups SET deleted_at = now() WHERE gid = $1', [deleted.gid])

  // As it was before. What came later and looks at the columns was not there.
  await pool.query('DROP TRIGGER count_replica_bytes ON groups')
  await pool.query('DROP INDEX groups_by_payer')
  await pool.query('ALTER TABLE groups DROP COLUMN bytes, DROP COLUMN payer, DROP COLUMN over_quota')
  await pool.query(await readFile(MIGRATION, 'utf8'))

  const { rows } = await pool.query<{ gid: bigint; bytes: bigint; held: bigint; payer: bigint | null; over_quota: boolean }>(
    'SELECT gid, bytes, held_bytes(p_gid => gid) AS held, payer, over_quota FROM groups ORDER BY gid',
  )
  const counted = Object.fromEntries(rows.map(({ gid, ...row }) => [String(gid), row]))
  expect(counted[String(full.gid)]).toMatchObject({ bytes: counted[String(full.gid)]!.held, payer: null, over_quota: false })
  expect(counted[String(full.gid)]!.bytes).toBeGreaterThan(2n * BigInt('described'.length))
  expect(counted[String(empty.gid)]).toMatchObject({ bytes: counted[String(empty.gid)]!.held })
  expect(counted[String(deleted.gid)]).toMatchObject({ bytes: 0n })
})
