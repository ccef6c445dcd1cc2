import type { Sql } from '../../platform/postgres/sql.js'

/** Of a private group with external joins: trees of its newest epochs that are kept, besides those for which a Welcome waits. */
export const KEPT_TREES = 4

/**
 * A deletion of rows of the group $1 in the lock of its row, which is waited for while no other group is held. `deletions` are common table
 * expressions; the last one, `gone`, has the bytes of what was deleted: they are counted off.
 * @param more further columns of the result, each with its comma
 */
export const countedOff = (deletions: string, more = '') => `
  WITH held AS MATERIALIZED (SELECT gid FROM groups WHERE gid = $1 FOR NO KEY UPDATE), ${deletions}, counted AS (
    UPDATE groups g SET bytes = greatest(0, g.bytes - (SELECT sum(x.bytes) FROM gone x)) WHERE g.gid = $1 AND EXISTS (SELECT FROM gone)
  )
  SELECT count(*) AS rows${more} FROM gone`

/** Rows that `countedOff` deleted. */
export async function deleteCounted(sql: Sql, statement: { name: string; text: string; values: unknown[] }): Promise<number> {
  const { rows } = await sql.query<{ rows: bigint }>(statement)
  return Number(rows[0]?.rows ?? 0n)
}

/** Which of these groups have trees besides those of the `kept` newest epochs: a Welcome waits for them, or waited when they became old. */
export async function havingOldTrees(sql: Sql, gids: readonly bigint[], kept: number): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'having_old_trees',
    text: `SELECT g.gid FROM groups g
            WHERE g.gid = ANY ($1::bigint[]) AND EXISTS (SELECT FROM group_tree t WHERE t.gid = g.gid AND t.epoch <= g.epoch - $2 OFFSET 0)
            ORDER BY g.gid`,
    values: [gids, kept],
  })
  return rows.map(({ gid }) => gid)
}

/** Deletes the trees of a group that are not among the `kept` newest and for which no Welcome waits any more. @returns bytes */
export async function deleteOldTrees(sql: Sql, gid: bigint, kept: number, limit: number): Promise<bigint> {
  const { rows } = await sql.query<{ bytes: bigint }>({
    name: 'delete_old_trees',
    text: `WITH held AS MATERIALIZED (SELECT gid, epoch FROM groups WHERE gid = $1 FOR NO KEY UPDATE),
                gone AS MATERIALIZED (SELECT drop_old_trees(p_gid => h.gid, p_before => h.epoch - $2 + 1, p_most => $3) AS bytes FROM held h)
           UPDATE groups g SET bytes = greatest(0, g.bytes - gone.bytes) FROM gone WHERE g.gid = $1 AND gone.bytes > 0 RETURNING gone.bytes`,
    values: [gid, kept, limit],
  })
  return rows[0]?.bytes ?? 0n
}

/**
 * Marks the groups of accounts that keep more than `most` bytes, which take no messages from then on, and unmarks those that have room again. One
 * statement each, so that none waits with another one held.
 * @returns how many were marked or unmarked
 */
export async function markOverQuota(sql: Sql, most: number): Promise<number> {
  const { rows } = await sql.query<{ gid: bigint; over: boolean }>({
    name: 'read_quota_marks',
    text: `SELECT g.gid, p.bytes > $1 AS over FROM (
             SELECT payer, sum(bytes) AS bytes FROM groups WHERE payer IS NOT NULL AND deleted_at IS NULL GROUP BY payer
           ) p JOIN groups g ON g.payer = p.payer AND g.deleted_at IS NULL WHERE g.over_quota <> (p.bytes > $1)`,
    values: [most],
  })
  for (const { gid, over } of rows)
    await sql.query({ name: 'mark_over_quota', text: 'UPDATE groups SET over_quota = $2 WHERE gid = $1', values: [gid, over] })
  return rows.length
}
