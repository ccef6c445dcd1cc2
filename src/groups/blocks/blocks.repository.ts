import { callFunction, type Sql } from '../../platform/postgres/sql.js'

/** @param most blocks that one user may have @returns false if the user has that many already */
export async function block(sql: Sql, blocker: string, blocked: string, most: number): Promise<boolean> {
  const { rowCount } = await sql.query({
    name: 'block_user',
    text: `INSERT INTO user_block AS b (blocker, blocked)
           SELECT $1, $2
            WHERE EXISTS (SELECT FROM user_block b WHERE b.blocker = $1 AND b.blocked = $2)
               OR (SELECT count(*) FROM (SELECT FROM user_block b WHERE b.blocker = $1 LIMIT $3) many) < $3
           ON CONFLICT (blocker, blocked) DO UPDATE SET created_at = b.created_at`,
    values: [blocker, blocked, most],
  })
  return rowCount === 1
}

/** Idempotent. */
export async function unblock(sql: Sql, blocker: string, blocked: string): Promise<void> {
  await sql.query({ name: 'unblock_user', text: 'DELETE FROM user_block WHERE blocker = $1 AND blocked = $2', values: [blocker, blocked] })
}

/** Whom a user has blocked, by name, after `after`. */
export async function blockedBy(sql: Sql, blocker: string, after: string, limit: number): Promise<{ user: string; since: Date }[]> {
  const { rows } = await sql.query<{ user: string; since: Date }>({
    name: 'blocked_by',
    text: `SELECT blocked AS user, created_at AS since FROM user_block WHERE blocker = $1 AND blocked > $2 ORDER BY blocked LIMIT $3`,
    values: [blocker, after, limit],
  })
  return rows
}

/** For a replica: see `withhold_replica`. Call it when intervals are open and before their Welcomes are stored. */
export async function withholdReplica(sql: Sql, gid: bigint, refs: readonly Uint8Array[]): Promise<void> {
  if (refs.length === 0) return
  const { call, values } = callFunction('withhold_replica', { p_gid: gid, p_refs: refs })
  await sql.query({ name: 'withhold_replica', text: `SELECT ${call}`, values })
}
