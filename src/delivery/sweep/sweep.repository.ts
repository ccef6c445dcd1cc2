import type { Sql } from '../../platform/postgres/sql.js'

/** How far a group's log is. */
export interface Head {
  gid: bigint
  headSeq: bigint
  incarnation: number
}

/**
 * The heads of these groups, by row id: 10,000 take about 10 ms. Deleted groups are left out: their members find `group.deleted` in the
 * inbox.
 */
export async function readHeads(sql: Sql, gids: readonly bigint[]): Promise<Map<bigint, Head>> {
  const { rows } = await sql.query<Head>({
    name: 'read_heads',
    text: `SELECT gid, head_seq AS "headSeq", incarnation FROM groups WHERE gid = ANY ($1::bigint[]) AND deleted_at IS NULL`,
    values: [gids],
  })
  return new Map(rows.map((head) => [head.gid, head]))
}

/** The oldest unacknowledged inbox ids of each device that has any, `limit` per device. */
export async function readInboxIds(sql: Sql, deviceIds: readonly bigint[], limit: number): Promise<Map<bigint, bigint[]>> {
  const { rows } = await sql.query<{ deviceId: bigint; ids: bigint[] }>({
    name: 'read_inbox_ids',
    text: `
      SELECT d.device_id AS "deviceId", array_agg(i.id) AS ids
        FROM unnest($1::bigint[]) AS d (device_id)
        JOIN LATERAL (SELECT id FROM inbox WHERE device_id = d.device_id ORDER BY id LIMIT $2) i ON true
       GROUP BY d.device_id`,
    values: [deviceIds, limit],
  })
  return new Map(rows.map((row) => [row.deviceId, row.ids]))
}

/**
 * Of the groups after `afterGid`, `limit` of them: those whose newest entry is not older than `sinceMs`. `last`: where to continue.
 * "OFFSET 0" makes it one look-up for each group: PostgreSQL would join the whole log.
 */
export async function readRecentHeads(
  sql: Sql,
  afterGid: bigint,
  limit: number,
  sinceMs: number,
): Promise<{ heads: { gid: bigint; headSeq: bigint }[]; last: bigint | undefined }> {
  const { rows } = await sql.query<{ gid: bigint; headSeq: bigint; recent: boolean | null }>({
    name: 'read_recent_heads',
    text: `
      SELECT g.gid, g.head_seq AS "headSeq", l.accepted_at > now() - $3 * interval '1 millisecond' AS recent
        FROM (SELECT gid, head_seq FROM groups WHERE gid > $1 AND deleted_at IS NULL ORDER BY gid LIMIT $2) g
        LEFT JOIN LATERAL (SELECT accepted_at FROM log WHERE log.gid = g.gid AND log.seq = g.head_seq OFFSET 0) l ON true
       ORDER BY g.gid`,
    values: [afterGid, limit, sinceMs],
  })
  return { heads: rows.filter((row) => row.recent), last: rows.at(-1)?.gid }
}

/** Devices after `afterDevice` with something in their inbox, by row id, `limit` at most. */
export async function readInboxDevices(sql: Sql, afterDevice: bigint, limit: number): Promise<bigint[]> {
  const { rows } = await sql.query<{ deviceId: bigint }>({
    name: 'read_inbox_devices',
    text: 'SELECT DISTINCT device_id AS "deviceId" FROM inbox WHERE device_id > $1 ORDER BY device_id LIMIT $2',
    values: [afterDevice, limit],
  })
  return rows.map((row) => row.deviceId)
}
