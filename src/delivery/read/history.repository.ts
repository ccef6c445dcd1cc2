import type { Sql } from '../../platform/postgres/sql.js'
import { WAITS } from './memberships.repository.js'

/** From entry `fromSeq` to `untilSeq`, both included; open where that is NULL. `waits`: its Welcome is not acknowledged yet (invariant 4). */
export interface ReadableInterval {
  fromSeq: bigint
  untilSeq: bigint | null
  waits: boolean
}

/** A group's log as far as one device may know of it. */
export interface ReadableLog {
  gid: bigint
  incarnation: number
  epoch: bigint
  headSeq: bigint
  floorSeq: bigint
  deleted: boolean
  /** The log follows that of a hub (§8). */
  replica: boolean
  /** Of the device, past ones included, in order. */
  intervals: ReadableInterval[]
}

type Row = Omit<ReadableLog, 'intervals'> & (ReadableInterval | { fromSeq: null })

/** A group by its MLS group id, and where in its log a device may read at all. `undefined`: unknown here. */
export async function findReadableLog(sql: Sql, groupId: Uint8Array, deviceId: bigint): Promise<ReadableLog | undefined> {
  const { rows } = await sql.query<Row>({
    name: 'find_readable_log',
    text: `
      SELECT g.gid, g.incarnation, g.epoch, g.head_seq AS "headSeq", g.floor_seq AS "floorSeq", g.deleted_at IS NOT NULL AS deleted,
             f.gid IS NOT NULL AS replica, m.from_seq AS "fromSeq", m.until_seq AS "untilSeq", ${WAITS} AS waits
        FROM groups g LEFT JOIN followed_group f ON f.gid = g.gid LEFT JOIN member m ON m.gid = g.gid AND m.device_id = $2
       WHERE g.group_id = $1 ORDER BY m.from_seq`,
    values: [groupId, deviceId],
  })
  const row = rows[0]
  if (!row) return undefined
  const { gid, incarnation, epoch, headSeq, floorSeq, deleted, replica } = row
  const intervals = rows.flatMap((one) => (one.fromSeq === null ? [] : [one]))
  return { gid, incarnation, epoch, headSeq, floorSeq, deleted, replica, intervals }
}

/** The entry that follows the Commit which began `epoch`; undefined if that Commit is not (or no longer) in the log. */
export async function firstSeqOfEpoch(sql: Sql, gid: bigint, epoch: bigint): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ seq: bigint }>({
    name: 'first_seq_of_epoch',
    text: `SELECT seq + 1 AS seq FROM log WHERE gid = $1 AND kind = 'c' AND epoch = $2::bigint - 1`,
    values: [gid, epoch],
  })
  return rows[0]?.seq
}
