import { callFunction, type Sql } from '../../platform/postgres/sql.js'

/** An account that was deleted and of which something is left. */
export interface UnfinishedErasure {
  accountId: bigint
  user: string
  /** The quarantine of its name is over. */
  late: boolean
}

/** @param after id of the last one before @param ageMs since the deletion: until then requests that had begun may still write something */
export async function unfinishedErasures(
  sql: Sql,
  { after, limit, ageMs, quarantineMs }: { after: bigint; limit: number; ageMs: number; quarantineMs: number },
): Promise<UnfinishedErasure[]> {
  const { rows } = await sql.query<UnfinishedErasure>({
    name: 'unfinished_erasures',
    text: `SELECT a.id AS "accountId", a.user_uri AS user, a.deleted_at < now() - $4 * interval '1 millisecond' AS late
             FROM account a
            WHERE a.deleted_at IS NOT NULL AND a.erased_at IS NULL AND a.id > $1 AND a.deleted_at < now() - $3 * interval '1 millisecond'
            ORDER BY a.id LIMIT $2`,
    values: [after, limit, ageMs, quarantineMs],
  })
  return rows
}

/** See `end_last_memberships`. */
export async function endLastMemberships(sql: Sql, deviceIds: readonly bigint[], late: boolean): Promise<void> {
  const { call, values } = callFunction('end_last_memberships', { p_devices: deviceIds, p_late: late })
  await sql.query({ name: 'end_last_memberships', text: `SELECT ${call}`, values })
}

/**
 * Groups at home here in which these devices are and nobody else but users whose accounts were deleted: nobody will ever take them out.
 * "OFFSET 0": each step one look-up.
 */
export async function desertedGroups(sql: Sql, deviceIds: readonly bigint[]): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'deserted_groups',
    text: `SELECT DISTINCT m.gid FROM unnest($1::bigint[]) AS o (id)
            CROSS JOIN LATERAL (SELECT m.gid FROM member m WHERE m.device_id = o.id AND m.until_seq IS NULL OFFSET 0) m
            WHERE NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = m.gid OFFSET 0)
              AND NOT EXISTS (
                SELECT FROM (SELECT x.device_id FROM member x WHERE x.gid = m.gid AND x.until_seq IS NULL ORDER BY x.device_id OFFSET 0) x
                 CROSS JOIN LATERAL (SELECT d.account_id FROM device d WHERE d.id = x.device_id OFFSET 0) d
                 CROSS JOIN LATERAL (SELECT a.deleted_at FROM account a WHERE a.id = d.account_id OFFSET 0) a
                 WHERE a.deleted_at IS NULL)
            ORDER BY m.gid`,
    values: [deviceIds],
  })
  return rows.map(({ gid }) => gid)
}

/** Holds the group's row, so that nobody joins meanwhile. */
export async function holdGroup(sql: Sql, gid: bigint): Promise<void> {
  await sql.query({ name: 'hold_group', text: 'SELECT FROM groups WHERE gid = $1 FOR NO KEY UPDATE', values: [gid] })
}

/**
 * See `finish_erasure`.
 * @param step `afterMs`: since the deletion; `keep`: the name is of this provider
 */
export async function finishErasure(
  sql: Sql,
  accountId: bigint,
  { standIn, afterMs, keep }: { standIn: string; afterMs: number; keep: boolean },
): Promise<'erased' | 'waits' | 'gone'> {
  const { call, values } = callFunction('finish_erasure', { p_account: accountId, p_stand_in: standIn, p_after: afterMs, p_keep: keep })
  const { rows } = await sql.query<{ outcome: 'erased' | 'waits' | 'gone' }>({
    name: 'finish_erasure',
    text: `SELECT ${call} AS outcome`,
    values,
  })
  return rows[0]?.outcome ?? 'gone'
}

/** Erased names that nobody keeps from anybody any more: out of quarantine, not banned anywhere, confirmed by all providers. */
export async function forgetErasedNames(sql: Sql, quarantineMs: number): Promise<void> {
  await sql.query({
    text: `WITH over AS (
             DELETE FROM account a
              WHERE a.erased_at IS NOT NULL AND a.deleted_at < now() - $1 * interval '1 millisecond'
                AND NOT EXISTS (SELECT FROM group_ban b WHERE b.user_id = a.id OFFSET 0)
                AND NOT EXISTS (SELECT FROM groups g WHERE g.payer = a.id AND g.payer IS NOT NULL AND g.deleted_at IS NULL OFFSET 0)
                AND NOT EXISTS (SELECT FROM peer_erasure e WHERE e.account_id = a.id AND e.receipt IS NULL OFFSET 0)
             RETURNING a.id
           )
           DELETE FROM peer_erasure e WHERE e.account_id = ANY (ARRAY(SELECT id FROM over))`,
    values: [quarantineMs],
  })
}
