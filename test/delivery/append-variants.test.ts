import { expect, it } from '@jest/globals'
import { compare, fillGroups, installVariants } from '../../bench/append-variants.js'
import { createPool } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()

it('what quotas and checks add to append_messages can be measured: the lines that they are still stand in it', async () => {
  const pool = createPool(database.url, { max: 1, prepare: true })
  await fillGroups(pool)
  await installVariants(pool)
  const { micros } = await compare(pool, 2, 1, 1)
  expect(Object.keys(micros)).toEqual(['append_messages', 'append_copy', 'append_without_storage', 'append_without_checks'])
  // Accepted by all variants: what they append is numbered without a gap, and counted by those that count.
  const { rows } = await pool.query<{ head_seq: bigint; bytes: bigint; held: bigint }>(
    'SELECT head_seq, bytes, held_bytes(p_gid => gid) AS held FROM groups WHERE gid = 1',
  )
  expect(rows).toEqual([{ head_seq: 8n, bytes: 1_200n, held: 2_400n }])
  await expect(pool.query('SELECT max(seq) AS last, count(*) AS count FROM log WHERE gid = 1')).resolves.toMatchObject({
    rows: [{ last: 8n, count: 8n }],
  })
  await pool.end()
})
