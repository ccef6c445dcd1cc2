import type { Sql } from '../../platform/postgres/sql.js'
import { type Entry, hasEntry, LOG_COLUMNS, toEntry, type MaybeLogRow } from './entry.js'
import { ENDED, READABLE, type IntervalEnd } from './memberships.repository.js'

/** A place to read on from: within one interval of the device, after `after`. */
export interface Place {
  gid: bigint
  fromSeq: bigint
  after: bigint
}

/** How much one page takes at most. */
export interface PageLimits {
  /** Entries of one group. */
  entries: number
  /** Bytes of messages over the whole page; the first entry always fits. */
  bytes: number
}

/** What stands after a place, and how the interval stood when it was read. */
export interface DeviceRange {
  incarnation: number
  headSeq: bigint
  untilSeq: bigint | null
  ended: IntervalEnd | null
  /** Entries between the place and the floor have been retired: there is a gap. */
  retired: boolean
  entries: Entry[]
  /** Nothing more to read in this interval, as of this statement. */
  complete: boolean
}

interface Row {
  place: number
  groupId: Buffer
  incarnation: number
  headSeq: bigint
  floorSeq: bigint
  untilSeq: bigint | null
  ended: DeviceRange['ended']
  found: number
}

/**
 * One page of everything a device has not read, for up to a few groups in one statement. An interval's end is taken from
 * the same snapshot as the log: a Commit that removes the device hides what follows it, however old the caller's
 * knowledge of its memberships. `undefined` for a place whose interval is gone (a deleted group) or cannot be read (a blocked one).
 *
 * Bytes past the page's budget are not sent: the length of an out-of-line value is known without reading it.
 */
export async function readDevice(
  sql: Sql,
  deviceId: bigint,
  places: readonly Place[],
  limits: PageLimits,
): Promise<(DeviceRange | undefined)[]> {
  const { rows } = await sql.query<Row & MaybeLogRow>({
    name: 'read_device',
    text: `
      SELECT place, "groupId", incarnation, "headSeq", "floorSeq", "untilSeq", ended, found::integer,
             seq, kind, epoch, "acceptedAt", hash, chain, CASE WHEN preceding < $6 THEN bytes END AS bytes
        FROM (
          SELECT p.place::integer, g.group_id AS "groupId", g.incarnation, g.head_seq AS "headSeq", g.floor_seq AS "floorSeq",
                 least(m.until_seq, m.read_until) AS "untilSeq", ${ENDED} AS ended, ${LOG_COLUMNS}, count(l.seq) OVER (PARTITION BY p.place) AS found,
                 sum(octet_length(l.bytes)) OVER (ORDER BY p.place, l.seq) - octet_length(l.bytes) AS preceding
            FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS p (gid, from_seq, after, place)
            JOIN member m ON m.device_id = $1 AND m.gid = p.gid AND m.from_seq = p.from_seq AND ${READABLE}
            JOIN groups g ON g.gid = p.gid AND g.deleted_at IS NULL
            LEFT JOIN LATERAL (
              SELECT * FROM log
               WHERE log.gid = p.gid AND log.seq > p.after AND log.seq <= coalesce(least(m.until_seq, m.read_until), g.head_seq)
                 AND (log.kind <> 'a' OR log.epoch >= m.join_epoch)
               ORDER BY log.seq LIMIT $5
            ) l ON p.after >= g.floor_seq
        ) page
       ORDER BY place, seq`,
    values: [
      deviceId,
      places.map((place) => place.gid),
      places.map((place) => place.fromSeq),
      places.map((place) => place.after),
      limits.entries,
      limits.bytes,
    ],
  })
  const byPlace = Map.groupBy(rows, (row) => row.place)
  return places.map((place, index) => toRange(place, byPlace.get(index + 1), limits))
}

function toRange(place: Place, rows: (Row & MaybeLogRow)[] | undefined, limits: PageLimits): DeviceRange | undefined {
  const row = rows?.[0]
  if (!rows || !row) return undefined
  const { incarnation, headSeq, untilSeq, ended, floorSeq, found } = row
  const entries: Entry[] = []
  for (const candidate of rows) {
    if (!hasEntry(candidate)) break
    entries.push(toEntry(candidate, candidate))
  }
  const complete = entries.length === found && found < limits.entries
  return { incarnation, headSeq, untilSeq, ended, retired: place.after < floorSeq, entries, complete }
}
