import type { Sql } from '../../platform/postgres/sql.js'
import type { PageLimits } from './device-log.repository.js'
import { type Entry, hasEntry, LOG_COLUMNS, toEntry, type MaybeLogRow } from './entry.js'

/** Consecutive entries of a group after a place, and how the group stood when they were read. */
export interface GroupRange {
  incarnation: number
  headSeq: bigint
  floorSeq: bigint
  entries: Entry[]
}

interface Row {
  groupId: Buffer
  incarnation: number
  headSeq: bigint
  floorSeq: bigint
}

/** The next entries of a group, once for all its readers on this node. `undefined`: deleted or unknown. */
export async function readGroup(sql: Sql, gid: bigint, after: bigint, limits: PageLimits): Promise<GroupRange | undefined> {
  const { rows } = await sql.query<Row & MaybeLogRow>({
    name: 'read_group',
    text: `
      SELECT "groupId", incarnation, "headSeq", "floorSeq",
             seq, kind, epoch, "acceptedAt", hash, chain, CASE WHEN preceding < $4 THEN bytes END AS bytes
        FROM (
          SELECT g.group_id AS "groupId", g.incarnation, g.head_seq AS "headSeq", g.floor_seq AS "floorSeq", ${LOG_COLUMNS},
                 sum(octet_length(l.bytes)) OVER (ORDER BY l.seq) - octet_length(l.bytes) AS preceding
            FROM groups g
            LEFT JOIN LATERAL (
              SELECT * FROM log WHERE log.gid = g.gid AND log.seq > $2 ORDER BY log.seq LIMIT $3
            ) l ON true
           WHERE g.gid = $1 AND g.deleted_at IS NULL
        ) page
       ORDER BY seq`,
    values: [gid, after, limits.entries, limits.bytes],
  })
  const row = rows[0]
  if (!row) return undefined
  const { incarnation, headSeq, floorSeq } = row
  return { incarnation, headSeq, floorSeq, entries: rows.filter(hasEntry).map((read) => toEntry(read, read)) }
}

/**
 * Devices whose membership a Commit in `first..last` opened or closed, or that left just before one of these entries. Read after the entries, so it knows of every
 * Commit among them (invariant 2: both are written in one transaction).
 */
export async function devicesTouched(sql: Sql, gid: bigint, first: bigint, last: bigint): Promise<Set<bigint>> {
  const { rows } = await sql.query<{ deviceId: bigint }>({
    name: 'devices_touched',
    text: `
      SELECT device_id AS "deviceId" FROM member WHERE gid = $1 AND until_seq BETWEEN $2 AND $3
       UNION
      SELECT device_id FROM member WHERE gid = $1 AND from_seq - 1 BETWEEN $2 AND $3
       UNION
      SELECT device_id FROM member WHERE gid = $1 AND read_until BETWEEN $2::bigint - 1 AND $3`,
    values: [gid, first, last],
  })
  return new Set(rows.map((row) => row.deviceId))
}
