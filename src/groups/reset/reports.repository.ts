import type { Sql } from '../../platform/postgres/sql.js'
import { ALIVE, rowOfGroup } from '../repository/group-row.js'

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
    row: rowOfGroup(gid),
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

/** A Commit that a device has had to process; `epoch` is the one it ended, `bytes` the MLSMessage. */
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
            WHERE l.gid = $1 AND ${ALIVE} AND l.seq = $3 AND l.kind::text = 'c' AND m.until_seq IS NULL AND l.seq >= m.from_seq - 1`,
    values: [gid, deviceId, seq],
  })
  return rows[0]
}

/** A Commit that members could not process, as the operator sees it: never who they are. */
export interface ReportedCommit {
  readonly groupId: Uint8Array
  /** The room's `mimi:` URI. */
  readonly room: string
  readonly seq: bigint
  /** The epoch the Commit ended; null if retention has retired the entry. */
  readonly epoch: bigint | null
  readonly lastReportedAt: Date
  /** Users by the reason they gave. */
  readonly reasons: Readonly<Record<string, number>>
  /** Users who reported it and whose reports a reset counts: they have been in the group ever since. */
  readonly users: number
  /** Number of reports that a reset without an admin takes. */
  readonly needed: number
  /** Why the group takes no more Commits, if it does not. */
  readonly frozen: 'reinit' | 'reset' | null
}

/** The Commits that were reported last, newest first. Reports end with their group, and once retention retires the Commit. */
export async function reportedCommits(sql: Sql, limit: number): Promise<ReportedCommit[]> {
  const { rows } = await sql.query<ReportedCommit>({
    text: `WITH by_reason AS (
             SELECT r.gid, r.seq, r.reason, max(r.reported_at) AS last, count(*)::integer AS users,
                    (count(*) FILTER (WHERE ${REPORT_COUNTS}))::integer AS present
               FROM commit_report r GROUP BY r.gid, r.seq, r.reason
           ), by_commit AS (
             SELECT gid, seq, max(last) AS last, jsonb_object_agg(reason, users) AS reasons, sum(present)::integer AS present
               FROM by_reason GROUP BY gid, seq ORDER BY 3 DESC, gid, seq LIMIT $1
           )
           SELECT g.group_id AS "groupId", g.room_id AS room, c.seq, l.epoch, c.last AS "lastReportedAt", c.reasons,
                  c.present AS users, p.reports_to_reset AS needed, g.frozen
             FROM by_commit c JOIN groups g ON g.gid = c.gid JOIN group_policy p ON p.gid = c.gid
             LEFT JOIN log l ON l.gid = c.gid AND l.seq = c.seq
            ORDER BY c.last DESC, c.gid, c.seq`,
    values: [limit],
  })
  return rows
}
