import type { Sql } from '../../platform/postgres/sql.js'

/** One row of `device_news`: a stream was opened, or (without `streamId`) the memberships of the device changed. */
export interface DeviceNewsRow {
  /** Row id: of two streams of one device, the one with the greater id was opened later. */
  id: bigint
  deviceId: bigint
  streamId: string | null
}

/** Rows live for so long. A node that could not sweep for longer has missed some. */
export const NEWS_KEPT_MS = 15 * 60_000

/**
 * What transactions from `since` on have written, and `horizon`, from which to read on: everything below it has ended and was visible
 * here. Rows from the horizon on may come again. Both are of one snapshot. Takes 0.1 ms where little changes.
 */
export async function readDeviceNews(sql: Sql, since: bigint): Promise<{ horizon: bigint; rows: DeviceNewsRow[] }> {
  const { rows } = await sql.query<{ horizon: string } & (DeviceNewsRow | { id: null })>({
    name: 'read_device_news',
    text: `
      SELECT s.horizon::text AS horizon, n.id, n.device_id AS "deviceId", n.stream_id AS "streamId"
        FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon) s
        LEFT JOIN device_news n ON n.xid >= $1::text::xid8
       ORDER BY n.id`,
    values: [since.toString()],
  })
  return { horizon: BigInt(rows[0]?.horizon ?? 0), rows: rows.flatMap((row) => (row.id === null ? [] : [row])) }
}

/** Says to all nodes that these streams are their devices' newest. @returns the ids of the rows, by stream */
export async function insertOpenedStreams(
  sql: Sql,
  opened: readonly { deviceId: bigint; streamId: string }[],
): Promise<Map<string, bigint>> {
  const { rows } = await sql.query<{ id: bigint; streamId: string }>({
    name: 'insert_opened_streams',
    text: `
      INSERT INTO device_news (device_id, stream_id) SELECT * FROM unnest($1::bigint[], $2::text[])
      RETURNING id, stream_id AS "streamId"`,
    values: [opened.map(({ deviceId }) => deviceId), opened.map(({ streamId }) => streamId)],
  })
  return new Map(rows.map(({ id, streamId }) => [streamId, id]))
}

/** Takes back what `insertOpenedStreams` said, for a stream that gave way to another. */
export async function deleteNews(sql: Sql, id: bigint): Promise<void> {
  await sql.query({ name: 'delete_news', text: 'DELETE FROM device_news WHERE id = $1', values: [id] })
}

/** Whether the row is still there: a stream that gave way has taken its row back. */
export async function isNews(sql: Sql, id: bigint): Promise<boolean> {
  const { rowCount } = await sql.query({ name: 'is_news', text: 'SELECT FROM device_news WHERE id = $1', values: [id] })
  return rowCount === 1
}

/** Deletes the rows that are older than `NEWS_KEPT_MS`, by PostgreSQL's clock. */
export async function deleteOldNews(sql: Sql): Promise<void> {
  await sql.query({
    name: 'delete_old_news',
    text: `DELETE FROM device_news WHERE at < now() - $1 * interval '1 millisecond'`,
    values: [NEWS_KEPT_MS],
  })
}
