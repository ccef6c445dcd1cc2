import type { Sql } from '../../platform/postgres/sql.js'

/**
 * Whether the report `r` counts: its user has been a member ever since the Commit, or joined by its Welcome. Who left, and who
 * came back from outside, has nothing to do with that Commit any more.
 */
export const REPORT_COUNTS = `EXISTS (SELECT FROM device d CROSS JOIN LATERAL (
    SELECT FROM member m WHERE m.device_id = d.id AND m.gid = r.gid AND m.until_seq IS NULL AND m.from_seq <= r.seq + 1 OFFSET 0
  ) m WHERE d.account_id = r.user_id)`

/** One report per user and Commit counts, whichever of the user's devices sent it. Returns how many reports of it count. */
export async function addReport(sql: Sql, gid: bigint, seq: bigint, userId: bigint, reason: string): Promise<number> {
  await sql.query({
    text: `INSERT INTO commit_report (gid, seq, user_id, reason)
           SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT FROM groups WHERE gid = $1 AND deleted_at IS NULL FOR SHARE) ON CONFLICT DO NOTHING`,
    values: [gid, seq, userId, reason],
  })
  const { rows } = await sql.query<{ reports: number }>({
    text: `SELECT count(*)::integer AS reports FROM commit_report r WHERE r.gid = $1 AND r.seq = $2 AND ${REPORT_COUNTS}`,
    values: [gid, seq],
  })
  return rows[0]?.reports ?? 0
}

/** The most reports of one and the same Commit that count. */
export async function mostReports(sql: Sql, gid: bigint): Promise<number> {
  const { rows } = await sql.query<{ most: number | null }>({
    text: `SELECT max(counted)::integer AS most FROM (
             SELECT count(*) AS counted FROM commit_report r
              WHERE r.gid = $1 AND ${REPORT_COUNTS} GROUP BY r.seq) per_commit`,
    values: [gid],
  })
  return rows[0]?.most ?? 0
}

export interface ReadCommit {
  epoch: bigint
  bytes: Buffer
  /** The device joined by it: by its Welcome, or as its author. */
  joined: boolean
}

/** The Commit at `seq`, if the device was to process it or joined by it. "::text": by seq, and not by the index of all Commits. */
export async function findReadCommit(sql: Sql, gid: bigint, deviceId: bigint, seq: bigint): Promise<ReadCommit | undefined> {
  const { rows } = await sql.query<ReadCommit>({
    text: `SELECT l.epoch, l.bytes, l.seq < m.from_seq AS joined FROM log l JOIN member m ON m.gid = l.gid AND m.device_id = $2
            WHERE l.gid = $1 AND l.seq = $3 AND l.kind::text = 'c' AND m.until_seq IS NULL AND l.seq >= m.from_seq - 1`,
    values: [gid, deviceId, seq],
  })
  return rows[0]
}
