import type { Sql } from '../../platform/postgres/sql.js'
import { REPORT_COUNTS } from './reports.repository.js'

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
  /** As many as a reset without an admin takes. */
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
