import type { Sql } from '../../platform/postgres/sql.js'

export interface NewAbuseReport {
  readonly roomId: string
  /** Domain of the provider that passed it on. */
  readonly provider: string
  /** '' if unnamed. */
  readonly reporter: string
  readonly allegedAbuser: string
  readonly reason: number
  readonly note: string
  /** How many messages came with it. */
  readonly messages: number
}

/**
 * The same report again changes nothing.
 * @param most reports of one provider that are open at the same time; many who write at once may exceed it by as many
 * @returns false if there are as many
 */
export async function addAbuseReport(sql: Sql, report: NewAbuseReport, most: number): Promise<boolean> {
  const { roomId, provider, reporter, allegedAbuser, reason, note, messages } = report
  const { rows } = await sql.query<{ room: boolean }>({
    name: 'add_abuse_report',
    text: `WITH space AS (SELECT count(*) < $8 AS room FROM abuse_report WHERE provider = $2 AND closed_at IS NULL), added AS (
             INSERT INTO abuse_report (room_id, provider, reporter, alleged_abuser, reason, note, messages)
             SELECT $1, $2, $3, $4, $5, $6, $7 FROM space WHERE room ON CONFLICT DO NOTHING
           )
           SELECT room FROM space`,
    values: [roomId, provider, reporter, allegedAbuser, reason, note, messages, most],
  })
  return rows[0]?.room ?? false
}

export interface AbuseReportRow extends NewAbuseReport {
  readonly id: bigint
  readonly reportedAt: Date
  readonly closedAt: Date | null
}

/** Reports for the operator, the oldest first. */
export async function listAbuseReports(sql: Sql, { closed, limit }: { closed: boolean; limit: number }): Promise<AbuseReportRow[]> {
  const { rows } = await sql.query<AbuseReportRow>({
    text: `SELECT id, room_id AS "roomId", provider, reporter, alleged_abuser AS "allegedAbuser", reason, note, messages,
                  reported_at AS "reportedAt", closed_at AS "closedAt"
             FROM abuse_report WHERE (closed_at IS NOT NULL) = $1 ORDER BY id LIMIT $2`,
    values: [closed, limit],
  })
  return rows
}

/** @returns false if no report of that number is open */
export async function closeAbuseReport(sql: Sql, id: bigint): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: 'UPDATE abuse_report SET closed_at = now() WHERE id = $1 AND closed_at IS NULL',
    values: [id],
  })
  return rowCount === 1
}
