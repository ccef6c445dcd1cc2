import type { Sql } from '../../platform/postgres/sql.js'
import { ALIVE, rowOfGroup } from '../repository/group-row.js'

/** Users whose reports of a Commit a reset counts (prisma/functions/rooms.sql, `report_counts`), and how many there have to be. */
export interface Counted {
  reports: number
  needed: number
}

/** One report per user and Commit counts, whichever of the user's devices sent it. */
export async function addReport(sql: Sql, gid: bigint, seq: bigint, userId: bigint, reason: string): Promise<Counted> {
  await sql.query({
    text: `INSERT INTO commit_report (gid, seq, user_id, reason)
           SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT FROM groups WHERE gid = $1 AND deleted_at IS NULL FOR SHARE) ON CONFLICT DO NOTHING`,
    values: [gid, seq, userId, reason],
    row: rowOfGroup(gid),
  })
  return countReports(sql, gid, seq)
}

/** Reports of the Commit at `seq`. A group that has been deleted has none. */
export async function countReports(sql: Sql, gid: bigint, seq: bigint): Promise<Counted> {
  const { rows } = await sql.query<Counted>({
    text: `SELECT (SELECT count(*)::integer FROM commit_report r WHERE r.gid = $1 AND r.seq = $2 AND report_counts(p_gid => r.gid, p_seq => r.seq, p_user => r.user_id)) AS reports,
                  coalesce(reports_needed(p_gid => $1, p_seq => $2), 1) AS needed`,
    values: [gid, seq],
  })
  return rows[0] ?? { reports: 0, needed: 1 }
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
                    (count(*) FILTER (WHERE report_counts(p_gid => r.gid, p_seq => r.seq, p_user => r.user_id)))::integer AS present
               FROM commit_report r GROUP BY r.gid, r.seq, r.reason
           ), by_commit AS (
             SELECT gid, seq, max(last) AS last, jsonb_object_agg(reason, users) AS reasons, sum(present)::integer AS present
               FROM by_reason GROUP BY gid, seq ORDER BY 3 DESC, gid, seq LIMIT $1
           )
           SELECT g.group_id AS "groupId", g.room_id AS room, c.seq, l.epoch, c.last AS "lastReportedAt", c.reasons,
                  c.present AS users, reports_needed(p_gid => c.gid, p_seq => c.seq) AS needed, g.frozen
             FROM by_commit c JOIN groups g ON g.gid = c.gid
             LEFT JOIN log l ON l.gid = c.gid AND l.seq = c.seq
            ORDER BY c.last DESC, c.gid, c.seq`,
    values: [limit],
  })
  return rows
}
