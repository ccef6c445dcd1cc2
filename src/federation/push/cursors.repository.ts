import type { Sql } from '../../platform/postgres/sql.js'

/** A peer's place in a group that has news for it. */
export interface DueGroup {
  gid: bigint
  acked: bigint
  /** How often in a row the peer could not take a batch of it. */
  failures: number
}

/** Entries that the peer lacks, or an incarnation, a freeze or a successor that it does not know of. A cursor beyond the head, as after a restore, lacks no entries. */
const BEHIND = `g.deleted_at IS NULL AND (
  c.acked < least(g.head_seq, coalesce(c.until_seq, g.head_seq)) OR (c.incarnation <> g.incarnation OR c.told_stops <> g.stops) AND c.until_seq IS NULL)`

/** Not waiting by itself. One that was stopped has a time too, unless an earlier release has stopped it. */
const TRIED = `CASE WHEN c.stopped IS NULL THEN coalesce(c.retry_at <= now(), true) ELSE c.retry_at <= now() END`

const DUE = `${TRIED} AND ${BEHIND}`

/**
 * Groups with entries that the peer has not stored, by gid after `afterGid`; 0 is before all. The comparison of rows, "+ 0" and
 * "OFFSET 0" let the peer's own cursors lead, and not the order of all groups.
 */
export async function dueGroups(sql: Sql, domain: string, afterGid: bigint, limit: number): Promise<DueGroup[]> {
  const { rows } = await sql.query<DueGroup>({
    name: 'due_groups',
    text: `SELECT c.gid, c.acked, c.failures FROM peer_cursor c CROSS JOIN LATERAL (SELECT * FROM groups WHERE groups.gid = c.gid OFFSET 0) g
            WHERE c.domain = $1 AND (c.domain, c.gid) > ($1, $2) AND ${DUE} ORDER BY c.gid + 0 LIMIT $3`,
    values: [domain, afterGid, limit],
  })
  return rows
}

/** Peers for which anything waits, entries, or a deletion or an erasure without a receipt, and that may be pushed to now. */
export async function duePeers(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ domain: string }>({
    name: 'due_peers',
    text: `SELECT x.domain FROM (
             SELECT c.domain FROM peer_cursor c JOIN groups g USING (gid) WHERE ${DUE}
             UNION SELECT domain FROM peer_deletion WHERE receipt IS NULL AND coalesce(retry_at <= now(), true)
             UNION SELECT domain FROM peer_erasure WHERE receipt IS NULL AND user_uri IS NOT NULL AND coalesce(retry_at <= now(), true)
           ) x LEFT JOIN peer p USING (domain)
           WHERE NOT coalesce(p.paused, false) AND coalesce(p.retry_at <= now(), true) AND coalesce(p.lane_until < now(), true)`,
  })
  return rows.map(({ domain }) => domain)
}

/** The peers with a cursor in these groups, but for those that wait. */
export async function peersOf(sql: Sql, gids: readonly bigint[]): Promise<{ gid: bigint; domain: string }[]> {
  const { rows } = await sql.query<{ gid: bigint; domain: string }>({
    name: 'peers_of',
    text: `SELECT c.gid, c.domain FROM peer_cursor c WHERE c.gid = ANY ($1::bigint[]) AND ${TRIED}`,
    values: [gids],
  })
  return rows
}

/** What an integer column holds; a hub counts restores with it. */
const MAX_INCARNATION = 2 ** 31 - 1

/**
 * The peer has stored everything up to `acked`: what it had refused of the group before is forgotten. Its members' Welcomes up to there are its own business now, and leave the
 * inboxes that stand for them here. @param stops `groups.stops` as the batch knew it. @returns false, and nothing is done, if the group does not have as much
 */
export async function advanceCursor(
  sql: Sql,
  { domain, gid }: { domain: string; gid: bigint },
  acked: bigint,
  incarnation: number,
  stops: number | null = null,
): Promise<boolean> {
  const { rows } = await sql.query<{ beyond: boolean }>({
    name: 'advance_peer_cursor',
    text: `
      WITH moved AS (
        UPDATE peer_cursor c SET acked = $3, incarnation = $4, told_stops = coalesce($5, told_stops),
               failures = 0, retry_at = NULL, last_error = NULL, stopped = NULL FROM groups g
         WHERE c.domain = $1 AND c.gid = $2 AND g.gid = c.gid AND c.acked <= $3 AND $3 <= g.head_seq RETURNING c.gid
      ), told AS (
        SELECT i.device_id, i.id FROM moved JOIN inbox i ON i.gid = moved.gid JOIN device d ON d.id = i.device_id
         WHERE i.kind = 'welcome' AND i.seq <= $3 AND provider_of(d.client_uri) = $1 ORDER BY i.device_id, i.id FOR UPDATE OF i
      ), gone AS (
        DELETE FROM inbox i USING told WHERE i.device_id = told.device_id AND i.id = told.id
      )
      SELECT EXISTS (SELECT FROM groups g WHERE g.gid = $2 AND $3 > g.head_seq) AS beyond`,
    values: [domain, gid, acked, Math.min(incarnation, MAX_INCARNATION), stops],
  })
  return rows[0]?.beyond !== true
}

/** The peer has less than it had acknowledged, as after a restore of its database: what comes after `acked` is due again. */
export async function rewindCursor(sql: Sql, domain: string, gid: bigint, acked: bigint): Promise<void> {
  await sql.query({
    name: 'rewind_peer_cursor',
    text: 'UPDATE peer_cursor SET acked = $3 WHERE domain = $1 AND gid = $2 AND acked > $3',
    values: [domain, gid, acked],
  })
}

/**
 * The peer could not take a batch of this group: it waits by itself.
 * @param delayMs until the next try @param why for the operator, cut to 500 characters @param stopped it counts as refused until it is taken
 */
export async function postponeCursor(
  sql: Sql,
  { domain, gid }: { domain: string; gid: bigint },
  { delayMs, why, stopped }: { delayMs: number; why: string; stopped: boolean },
): Promise<void> {
  await sql.query({
    name: 'postpone_peer_cursor',
    text: `UPDATE peer_cursor SET failures = failures + 1, retry_at = now() + $3 * interval '1 millisecond', last_error = $4,
                  stopped = CASE WHEN $5 THEN $4 END
            WHERE domain = $1 AND gid = $2`,
    values: [domain, gid, delayMs, why.slice(0, 500), stopped],
  })
}

/** It was the peer that could take nothing, and not these groups: what counted against them does not. Not those that were stopped. */
export async function absolveCursors(sql: Sql, domain: string, gids: readonly bigint[]): Promise<void> {
  await sql.query({
    name: 'absolve_peer_cursors',
    text: `UPDATE peer_cursor SET failures = 0, retry_at = NULL, last_error = NULL
            WHERE domain = $1 AND gid = ANY ($2::bigint[]) AND failures > 0 AND stopped IS NULL`,
    values: [domain, gids],
  })
}

/** How often in a row the peer could not take a batch of the group. */
export async function failuresOf(sql: Sql, domain: string, gid: bigint): Promise<number> {
  const { rows } = await sql.query<{ failures: number }>({
    name: 'cursor_failures',
    text: 'SELECT failures FROM peer_cursor WHERE domain = $1 AND gid = $2',
    values: [domain, gid],
  })
  return rows[0]?.failures ?? 0
}

/** @returns how many groups are back in the lane */
export async function resumeCursors(sql: Sql, domain: string): Promise<number> {
  const { rowCount } = await sql.query({
    text: `UPDATE peer_cursor SET stopped = NULL, failures = 0, retry_at = NULL, last_error = NULL
            WHERE domain = $1 AND (stopped IS NOT NULL OR retry_at IS NOT NULL)`,
    values: [domain],
  })
  return rowCount ?? 0
}

export interface WaitingCursor {
  domain: string
  groupId: Buffer
  acked: bigint
  /** Why the peer has not taken the next batch. */
  why: string
  /** It counts as refused: it was refused for good, or could not be taken many times. */
  stopped: boolean
}

/** Groups whose next batch peers have refused or could not take, for the operator. */
export async function waitingCursors(sql: Sql): Promise<WaitingCursor[]> {
  const { rows } = await sql.query<WaitingCursor>(
    `SELECT c.domain, g.group_id AS "groupId", c.acked, coalesce(c.stopped, c.last_error, '') AS why, c.stopped IS NOT NULL AS stopped
       FROM peer_cursor c JOIN groups g USING (gid)
      WHERE c.stopped IS NOT NULL OR c.retry_at IS NOT NULL ORDER BY c.domain, c.gid`,
  )
  return rows
}
