import type { Sql } from '../../platform/postgres/sql.js'

/** One report per user and Commit counts, whichever of the user's devices sent it. Returns how many users reported it. */
export async function addReport(sql: Sql, gid: bigint, seq: bigint, userId: bigint, reason: string): Promise<number> {
  await sql.query({
    text: `INSERT INTO commit_report (gid, seq, user_id, reason)
           SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT FROM groups WHERE gid = $1 AND deleted_at IS NULL FOR SHARE) ON CONFLICT DO NOTHING`,
    values: [gid, seq, userId, reason],
  })
  const { rows } = await sql.query<{ reports: number }>({
    text: 'SELECT count(*)::integer AS reports FROM commit_report WHERE gid = $1 AND seq = $2',
    values: [gid, seq],
  })
  return rows[0]?.reports ?? 0
}

/** The most users that reported one and the same Commit and still have a device in the group. */
export async function mostReports(sql: Sql, gid: bigint): Promise<number> {
  const { rows } = await sql.query<{ most: number | null }>({
    text: `SELECT max(counted)::integer AS most FROM (
             SELECT count(*) AS counted FROM commit_report r
              WHERE r.gid = $1 AND EXISTS (SELECT FROM device d JOIN member m ON m.device_id = d.id
                                            WHERE d.account_id = r.user_id AND m.gid = $1 AND m.until_seq IS NULL)
              GROUP BY r.seq) per_commit`,
    values: [gid],
  })
  return rows[0]?.most ?? 0
}

/** Whether `seq` is a Commit that the device was to process. */
export async function readsCommit(sql: Sql, gid: bigint, deviceId: bigint, seq: bigint): Promise<boolean> {
  const { rows } = await sql.query({
    text: `SELECT FROM log l JOIN member m ON m.gid = l.gid AND m.device_id = $2
            WHERE l.gid = $1 AND l.seq = $3 AND l.kind = 'c' AND m.until_seq IS NULL AND l.seq >= m.from_seq - 1`,
    values: [gid, deviceId, seq],
  })
  return rows.length > 0
}
