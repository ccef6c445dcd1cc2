import type { Sql } from '../../platform/postgres/sql.js'

/** One interval of a device in a group that it has not read to its end. */
export interface Membership {
  gid: bigint
  groupId: Buffer
  incarnation: number
  headSeq: bigint
  floorSeq: bigint
  fromSeq: bigint
  /** The last entry that it reads; NULL while it is delivered to. */
  untilSeq: bigint | null
  ended: IntervalEnd | null
  joinEpoch: bigint
  acked: bigint
  /** Fell behind retention: there is nothing to read until it joins again. */
  resync: boolean
  /** Its entries are sent as they come. Otherwise the device has muted the group: it reads them when it wants to. */
  pushed: boolean
  /** The log follows that of a hub (§8): a device may have heard more from the hub than has come here yet. */
  replica: boolean
  /** The Welcome of this interval is still in the inbox: its entries wait (invariant 4). */
  awaitsWelcomeAck: boolean
}

/**
 * What a device may read: open intervals, and closed ones with something unread, in the order of their entries.
 * One statement, so that an interval and its Welcome are seen together or not at all.
 */
export async function readMemberships(sql: Sql, deviceId: bigint): Promise<Membership[]> {
  const { rows } = await sql.query<Membership>({
    name: 'read_memberships',
    text: `
      SELECT m.gid, g.group_id AS "groupId", g.incarnation, g.head_seq AS "headSeq", g.floor_seq AS "floorSeq",
             m.from_seq AS "fromSeq", least(m.until_seq, m.read_until) AS "untilSeq", ${ENDED} AS ended, m.join_epoch AS "joinEpoch", m.acked, m.resync,
             m.delivery = 'all' AS pushed, f.gid IS NOT NULL AS replica, ${AWAITS_WELCOME_ACK} AS "awaitsWelcomeAck"
        FROM (SELECT * FROM member WHERE device_id = $1 OFFSET 0) m
        JOIN groups g ON g.gid = m.gid
        LEFT JOIN followed_group f ON f.gid = m.gid
       WHERE g.deleted_at IS NULL AND ${READABLE} AND (coalesce(m.until_seq, m.read_until) IS NULL OR (m.acked < least(m.until_seq, m.read_until) AND NOT m.resync))
       ORDER BY m.gid, m.from_seq`,
    values: [deviceId],
  })
  return rows
}

/** Why an interval reads no further: as `member.ended` says it, or `asked`: the device asked to leave, and so needs no word of it. */
export type IntervalEnd = 'removed' | 'left' | 'revoked' | 'resync' | 'asked'
/** Of a row of `member` named `m`. */
export const ENDED = `CASE WHEN m.read_until IS NOT NULL THEN 'asked' ELSE m.ended END`

/** Of a row of `member` named `m`: the device has not blocked the group. */
export const READABLE = `m.delivery IN ('all', 'muted')`

/** Of a row of `member` named `m`: the Commit that opened the interval stands just before it. */
export const AWAITS_WELCOME_ACK = `EXISTS (
  SELECT FROM inbox i WHERE i.device_id = m.device_id AND i.kind = 'welcome' AND i.gid = m.gid AND i.seq = m.from_seq - 1)`
