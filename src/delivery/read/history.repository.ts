import type { Sql } from '../../platform/postgres/sql.js'
import type { LogRow } from './entry.js'
import { AWAITS_WELCOME_ACK, READABLE } from './memberships.repository.js'

/**
 * Entries `fromSeq` to `untilSeq`, inclusive; `untilSeq` is null while it is delivered to. `awaitsWelcomeAck`: the device has not
 * acknowledged its Welcome yet, so it cannot read the entries (invariant 4).
 */
export interface ReadableInterval {
  fromSeq: bigint
  untilSeq: bigint | null
  awaitsWelcomeAck: boolean
  /** The device has not blocked the group. */
  readable: boolean
}

/** A group's log with the intervals that one device may read. */
export interface ReadableLog {
  gid: bigint
  incarnation: number
  epoch: bigint
  headSeq: bigint
  floorSeq: bigint
  deleted: boolean
  /** This server is a follower, and the log a replica of the hub's (architecture §8). */
  replica: boolean
  /** The device's memberships, past and present, oldest first. */
  intervals: ReadableInterval[]
}

type Row = Omit<ReadableLog, 'intervals'> & (ReadableInterval | { fromSeq: null })

/** Finds a group by its MLS group id, deleted ones included. @returns undefined if this server does not know it. */
export async function findReadableLog(sql: Sql, groupId: Uint8Array, deviceId: bigint): Promise<ReadableLog | undefined> {
  const { rows } = await sql.query<Row>({
    name: 'find_readable_log',
    text: `
      SELECT g.gid, g.incarnation, g.epoch, g.head_seq AS "headSeq", g.floor_seq AS "floorSeq", g.deleted_at IS NOT NULL AS deleted,
             f.gid IS NOT NULL AS replica, m.from_seq AS "fromSeq", least(m.until_seq, m.read_until) AS "untilSeq", ${READABLE} AS readable, ${AWAITS_WELCOME_ACK} AS "awaitsWelcomeAck"
        FROM groups g LEFT JOIN followed_group f ON f.gid = g.gid LEFT JOIN member m ON m.gid = g.gid AND m.device_id = $2
       WHERE g.group_id = $1 ORDER BY m.from_seq`,
    values: [groupId, deviceId],
  })
  const first = rows[0]
  if (!first) return undefined
  const { gid, incarnation, epoch, headSeq, floorSeq, deleted, replica } = first
  const intervals = rows.flatMap((row) => (row.fromSeq === null ? [] : [row]))
  return { gid, incarnation, epoch, headSeq, floorSeq, deleted, replica, intervals }
}

/** The seq right after the Commit that began `epoch`; undefined if that Commit is not (or no longer) in the log, and for epoch 0. */
export async function firstSeqOfEpoch(sql: Sql, gid: bigint, epoch: bigint): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ seq: bigint }>({
    name: 'first_seq_of_epoch',
    text: `SELECT seq + 1 AS seq FROM log WHERE gid = $1 AND kind = 'c' AND epoch = $2::bigint - 1`,
    values: [gid, epoch],
  })
  return rows[0]?.seq
}

/** Whether any device of the user is or was in the group, or in a group before it that threw the user out; or the user looks after it as an admin. */
export async function userWasThere(sql: Sql, gid: bigint, userId: bigint): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'user_was_there',
    text: `SELECT FROM device d CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = $1 LIMIT 1 OFFSET 0) m
            WHERE d.account_id = $2
           UNION ALL SELECT FROM group_admin a WHERE a.gid = $1 AND a.user_id = $2
           UNION ALL SELECT FROM group_outcast o WHERE o.gid = $1 AND o.user_id = $2
           LIMIT 1`,
    values: [gid, userId],
  })
  return rows.length > 0
}

export type VanishedRow = Pick<LogRow, 'seq' | 'kind' | 'epoch' | 'hash'>

/** Entries that this incarnation has taken out of a replica, in the order of the log. */
export async function vanishedEntries(
  sql: Sql,
  { gid, incarnation, fromSeq, limit }: { gid: bigint; incarnation: number; fromSeq: bigint; limit: number },
): Promise<VanishedRow[]> {
  const { rows } = await sql.query<VanishedRow>({
    name: 'vanished_entries',
    text: 'SELECT seq, kind, epoch, hash FROM vanished_entry WHERE gid = $1 AND incarnation = $2 AND seq >= $3 ORDER BY seq LIMIT $4',
    values: [gid, incarnation, fromSeq, limit],
  })
  return rows
}
