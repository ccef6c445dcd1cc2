import type { Sql } from '../../platform/postgres/sql.js'
import type { GroupPolicy } from './policy.js'

/** False if the policy is of another version by now, or the group is gone. */
export async function replacePolicy(sql: Sql, gid: bigint, policy: GroupPolicy): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: `UPDATE group_policy
              SET external_join = $3, join_code_hash = $4, add_members = $5, remove_members = $6, reports_to_reset = $7, version = version + 1
            WHERE gid = $1 AND version = $2`,
    values: [gid, policy.version, policy.externalJoin, policy.joinCodeHash, policy.addMembers, policy.removeMembers, policy.reportsToReset],
  })
  return rowCount === 1
}

/** User URIs, in alphabetical order. */
export async function readAdminsAndBans(sql: Sql, gid: bigint): Promise<{ admins: string[]; banned: string[] }> {
  const { rows } = await sql.query<{ admins: string[]; banned: string[] }>({
    text: `SELECT ARRAY(SELECT (SELECT a.user_uri FROM account a WHERE a.id = x.user_id) FROM group_admin x WHERE x.gid = $1 ORDER BY 1) AS admins,
                  ARRAY(SELECT (SELECT a.user_uri FROM account a WHERE a.id = x.user_id) FROM group_ban x WHERE x.gid = $1 ORDER BY 1) AS banned`,
    values: [gid],
  })
  return rows[0] ?? { admins: [], banned: [] }
}

/** @param userUri of this or another provider. @returns the account's id, if the server has met the user */
export async function findUser(sql: Sql, userUri: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ id: bigint }>({ text: 'SELECT id FROM account WHERE user_uri = $1', values: [userUri] })
  return rows[0]?.id
}

/**
 * Each change raises the policy's version in the same statement, so that a Commit judged before it is judged again.
 * The policy row is locked first: changes of one group wait for each other.
 */
const CHANGED = 'WITH changed AS (UPDATE group_policy SET version = version + 1 WHERE gid = $1 RETURNING gid)'

/** Does nothing if the user is an admin, or the group is gone. */
export async function addAdmin(sql: Sql, gid: bigint, userId: bigint): Promise<void> {
  await sql.query({
    text: `${CHANGED} INSERT INTO group_admin (gid, user_id) SELECT gid, $2 FROM changed ON CONFLICT DO NOTHING`,
    values: [gid, userId],
  })
}

/** False if it would leave the group without an admin. Call it in a transaction that holds the policy row. */
export async function removeAdmin(sql: Sql, gid: bigint, userId: bigint): Promise<boolean> {
  await sql.query({ text: 'UPDATE group_policy SET version = version + 1 WHERE gid = $1', values: [gid] })
  const { rowCount } = await sql.query({
    text: `DELETE FROM group_admin WHERE gid = $1 AND user_id = $2
              AND EXISTS (SELECT FROM group_admin other WHERE other.gid = $1 AND other.user_id <> $2)`,
    values: [gid, userId],
  })
  return rowCount === 1
}

/** Does nothing if the user is banned, or the group is gone. */
export async function addBan(sql: Sql, gid: bigint, userId: bigint): Promise<void> {
  await sql.query({
    text: `${CHANGED} INSERT INTO group_ban (gid, user_id) SELECT gid, $2 FROM changed ON CONFLICT DO NOTHING`,
    values: [gid, userId],
  })
}

/** The policy keeps its version: no Commit that was judged before becomes wrong by it. */
export async function removeBan(sql: Sql, gid: bigint, userId: bigint): Promise<void> {
  await sql.query({ text: 'DELETE FROM group_ban WHERE gid = $1 AND user_id = $2', values: [gid, userId] })
}

/** Whether the user has, or ever had, a device in the group. */
export async function everMember(sql: Sql, gid: bigint, userId: bigint): Promise<boolean> {
  const { rows } = await sql.query({
    text: `SELECT FROM unnest(ARRAY(SELECT id FROM device WHERE account_id = $2)) AS d (id)
            CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = $1 OFFSET 0) m LIMIT 1`,
    values: [gid, userId],
  })
  return rows.length > 0
}
