import type { Sql } from '../../platform/postgres/sql.js'

/** Everything of the group up to `seq` is done with, as far as this device is concerned. */
export interface Ack {
  deviceId: bigint
  gid: bigint
  incarnation: number
  seq: bigint
}

/** Rows of one statement: a longer one holds row locks for longer. */
export const MAX_ACK_ROWS = 1_000

/**
 * Moves cursors forward, never back, in every interval that the ack passes, and not beyond the interval's end. Rows are
 * locked in the order in which everyone locks them (unsorted: 5 deadlocks in 6 s). A lost flush costs redelivery only,
 * so the statement's own transaction need not wait for the disk unless `durable`.
 *
 * `valid` is a step of its own, so that intervals are looked up by device and group: joined in one step with the groups, PostgreSQL reads
 * for each ack all present and former members of its group.
 * @returns how many rows moved
 */
export async function writeAcks(sql: Sql, acks: readonly Ack[], durable: boolean): Promise<number> {
  const { rowCount } = await sql.query({
    name: 'write_acks',
    text: `
      WITH mode AS MATERIALIZED (
        SELECT set_config('synchronous_commit', CASE WHEN $5 THEN current_setting('synchronous_commit') ELSE 'off' END, true)
      ), valid AS MATERIALIZED (
        SELECT a.device_id, a.gid, a.seq
          FROM (
            SELECT device_id, gid, incarnation, max(seq) AS seq
              FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bigint[]) AS given (device_id, gid, incarnation, seq)
             GROUP BY device_id, gid, incarnation
          ) a
          JOIN groups g ON g.gid = a.gid AND g.incarnation = a.incarnation AND g.head_seq >= a.seq
      ), moved AS MATERIALIZED (
        SELECT m.device_id, m.gid, m.from_seq, least(a.seq, m.until_seq, m.read_until) AS seq
          FROM valid a
          JOIN member m ON m.device_id = a.device_id AND m.gid = a.gid AND m.from_seq <= a.seq AND m.acked < least(a.seq, m.until_seq, m.read_until)
         WHERE EXISTS (SELECT FROM mode)
         ORDER BY m.device_id, m.gid, m.from_seq FOR NO KEY UPDATE OF m
      )
      UPDATE member m SET acked = moved.seq FROM moved
       WHERE m.device_id = moved.device_id AND m.gid = moved.gid AND m.from_seq = moved.from_seq AND m.acked < moved.seq`,
    values: [
      acks.map((ack) => ack.deviceId),
      acks.map((ack) => ack.gid),
      acks.map((ack) => ack.incarnation),
      acks.map((ack) => ack.seq),
      durable,
    ],
  })
  return rowCount ?? 0
}
