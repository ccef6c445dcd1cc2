import type { Sql } from '../../platform/postgres/sql.js'
import { countedOff, deleteCounted } from './group-storage.repository.js'

/** Ages in milliseconds, against `now` by PostgreSQL's clock; tests give a `now` instead of waiting. */
export interface RetentionAges {
  now: Date | null
  application: number
  handshake: number
  idempotency: number
}

const ms = (parameter: string) => `${parameter} * interval '1 millisecond'`
const NOW = 'coalesce($2::timestamptz, now())'

/** The next groups by id. */
export async function readGids(sql: Sql, after: bigint, limit: number): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'retention_gids',
    text: 'SELECT gid FROM groups WHERE gid > $1 AND deleted_at IS NULL ORDER BY gid LIMIT $2',
    values: [after, limit],
  })
  return rows.map((row) => row.gid)
}

/** What may go of the application entries of a group: those up to `seq`. */
export interface Retirable {
  gid: bigint
  seq: bigint
}

/**
 * Groups with application entries that every cursor that is delivered to has passed and that no resubmission may meet any more, or that are past their
 * time, no matter who has not read them.
 *
 * Times are taken as rising with seq, so the search for the first young entry ends at it, and never goes past what
 * everyone has read: an offline device does not make each run walk over what it has not fetched.
 */
export async function readRetirable(sql: Sql, gids: readonly bigint[], ages: RetentionAges): Promise<Retirable[]> {
  const { rows } = await sql.query<Retirable>({
    name: 'read_retirable',
    text: `
      WITH passed AS (
        SELECT g.gid, g.head_seq, least(g.head_seq, (
                 SELECT min(m.acked) FROM member m WHERE m.gid = g.gid AND NOT m.resync AND m.read_until IS NULL AND m.delivery = 'all' AND (m.until_seq IS NULL OR m.acked < m.until_seq)
               ), (
                 SELECT min(c.acked) FROM peer_cursor c WHERE c.gid = g.gid AND (c.until_seq IS NULL OR c.acked < c.until_seq)
               )) AS seq
          FROM groups g WHERE g.gid = ANY ($1::bigint[])
      ), bound AS (
        SELECT p.gid, greatest(
                 coalesce((SELECT l.seq - 1 FROM log l WHERE l.gid = p.gid AND l.seq <= p.seq AND l.accepted_at >= ${NOW} - ${ms('$4')} ORDER BY l.seq LIMIT 1), p.seq),
                 coalesce((SELECT l.seq - 1 FROM log l WHERE l.gid = p.gid AND l.accepted_at >= ${NOW} - ${ms('$3')} ORDER BY l.seq LIMIT 1), p.head_seq)
               ) AS seq
          FROM passed p
      )
      SELECT b.gid, b.seq FROM bound b CROSS JOIN LATERAL (
        SELECT FROM log l WHERE l.gid = b.gid AND l.seq <= b.seq AND l.kind = 'a' ORDER BY l.seq LIMIT 1
      ) old ORDER BY b.gid`,
    values: [gids, ages.now, Math.max(ages.application, ages.idempotency), ages.idempotency],
  })
  return rows
}

/** Deletes application entries of a group up to `seq`, at most `limit` of them; call again while it returns that many. */
export async function retireApplication(sql: Sql, { gid, seq }: Retirable, limit: number): Promise<number> {
  return deleteCounted(sql, {
    name: 'retire_application',
    text: countedOff(`old AS (
        SELECT l.gid, l.seq FROM log l WHERE l.gid = $1 AND l.seq <= $2 AND l.kind = 'a' AND EXISTS (SELECT FROM held) ORDER BY l.seq LIMIT $3
      ), gone AS (
        DELETE FROM log USING old WHERE log.gid = old.gid AND log.seq = old.seq RETURNING octet_length(log.bytes) AS bytes
      )`),
    values: [gid, seq, limit],
  })
}

export interface FloorMove {
  gid: bigint
  floorSeq: bigint
  /** Age alone would move it over further Commits, but the newest snapshot stands before those. */
  heldBySnapshot: boolean
}

/**
 * Groups whose floor may move, and how far: over what is older than the handshakes' time, but not past the snapshot
 * from which the current state, or that of a Welcome is rebuilt; nor past such a Welcome, unless its user has not accepted the group.
 */
export async function readFloorMoves(sql: Sql, gids: readonly bigint[], ages: RetentionAges): Promise<FloorMove[]> {
  const { rows } = await sql.query<FloorMove>({
    name: 'read_floor_moves',
    text: `
      WITH aged AS (
        SELECT g.gid, g.mode = 'public' AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid OFFSET 0) AS tracked, g.floor_seq, coalesce((
                 SELECT l.seq - 1 FROM log l WHERE l.gid = g.gid AND l.accepted_at >= ${NOW} - ${ms('$3')} ORDER BY l.seq LIMIT 1
               ), g.head_seq) AS seq
          FROM groups g WHERE g.gid = ANY ($1::bigint[])
      ), bound AS (
        SELECT a.*, w.seq AS welcome_seq, CASE WHEN a.tracked THEN coalesce((
                 SELECT max(s.seq) FROM group_snapshot s WHERE s.gid = a.gid AND s.epoch <= coalesce(w.epoch, s.epoch)
               ), 0) END AS snapshot_seq
          FROM aged a CROSS JOIN LATERAL (
            SELECT min(w.seq) AS seq, min(w.epoch) AS epoch FROM welcome w
             WHERE w.gid = a.gid AND w.expires_at > ${NOW}
               AND EXISTS (SELECT FROM inbox i WHERE i.gid = w.gid AND i.kind = 'welcome' AND i.seq = w.seq AND i.ordinal = w.ordinal AND NOT EXISTS (
                 SELECT FROM member m WHERE m.device_id = i.device_id AND m.gid = i.gid AND m.from_seq = i.seq + 1 AND m.delivery = 'invited' OFFSET 0
               ))
          ) w
         WHERE a.seq > a.floor_seq
      )
      SELECT gid, greatest(floor_seq, least(seq, snapshot_seq, welcome_seq)) AS "floorSeq",
             EXISTS (
               SELECT FROM log l WHERE l.gid = b.gid AND l.kind = 'c' AND l.seq > b.snapshot_seq AND l.seq <= least(b.seq, b.welcome_seq)
             ) AS "heldBySnapshot"
        FROM bound b ORDER BY gid`,
    values: [gids, ages.now, Math.max(ages.handshake, ages.idempotency)],
  })
  return rows
}

/**
 * Moves a group's floor before anything below it goes, so that nobody reads over a gap. Members whose cursor is behind
 * cannot continue from the log: they are marked and get `resync` in the same transaction. @returns their devices
 */
export async function moveFloor(sql: Sql, gid: bigint, floorSeq: bigint): Promise<bigint[]> {
  const { rows } = await sql.query<{ deviceId: bigint }>({
    name: 'move_floor',
    text: `
      WITH moved AS (
        UPDATE groups SET floor_seq = $2 WHERE gid = $1 AND floor_seq < $2 AND deleted_at IS NULL RETURNING gid
      ), behind AS MATERIALIZED (
        SELECT m.device_id, m.gid, m.from_seq FROM moved JOIN member m ON m.gid = moved.gid
         WHERE m.until_seq IS NULL AND m.read_until IS NULL AND m.acked < $2 AND NOT m.resync
         ORDER BY m.device_id, m.gid, m.from_seq FOR UPDATE OF m
      ), marked AS (
        UPDATE member m SET resync = true FROM behind b
         WHERE m.device_id = b.device_id AND m.gid = b.gid AND m.from_seq = b.from_seq RETURNING m.device_id, m.gid
      )
      INSERT INTO inbox (device_id, kind, gid) SELECT device_id, 'resync', gid FROM marked ORDER BY device_id
      RETURNING device_id AS "deviceId"`,
    values: [gid, floorSeq],
  })
  return rows.map((row) => row.deviceId)
}

/** Which of these groups have entries at or below their floor. */
export async function havingBelowFloor(sql: Sql, gids: readonly bigint[]): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'having_below_floor',
    text: `SELECT g.gid FROM groups g CROSS JOIN LATERAL (
             SELECT FROM log l WHERE l.gid = g.gid AND l.seq <= g.floor_seq ORDER BY l.seq LIMIT 1
           ) old WHERE g.gid = ANY ($1::bigint[]) ORDER BY g.gid`,
    values: [gids],
  })
  return rows.map(({ gid }) => gid)
}

/** Deletes what stands at or below a group's floor, at most `limit` rows; call again while it returns that many. */
export async function deleteBelowFloor(sql: Sql, gid: bigint, limit: number): Promise<number> {
  return deleteCounted(sql, {
    name: 'delete_below_floor',
    text: countedOff(`old AS (
        SELECT l.gid, l.seq FROM log l
         WHERE l.gid = $1 AND l.seq <= (SELECT g.floor_seq FROM groups g WHERE g.gid = $1) AND EXISTS (SELECT FROM held) ORDER BY l.seq LIMIT $2
      ), gone AS (
        DELETE FROM log USING old WHERE log.gid = old.gid AND log.seq = old.seq RETURNING octet_length(log.bytes) AS bytes
      )`),
    values: [gid, limit],
  })
}

/** Where the descriptions of epochs end that are still of use: `g` is a row of `groups`. */
const KEPT_EPOCHS = `
  coalesce((SELECT min(l.epoch) FROM log l WHERE l.gid = g.gid AND l.kind = 'c'), g.epoch) AS epoch,
  (SELECT max(s.epoch) FROM group_snapshot s WHERE s.gid = g.gid AND s.seq <= g.floor_seq) AS snapshot_epoch`

/** Which of these groups have something that `deleteLeftovers` deletes. */
export async function havingLeftovers(sql: Sql, gids: readonly bigint[]): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'having_leftovers',
    text: `
      WITH kept AS (
        SELECT g.gid, g.floor_seq, ${KEPT_EPOCHS} FROM groups g WHERE g.gid = ANY ($1::bigint[]) AND g.floor_seq > 0 AND g.deleted_at IS NULL
      )
      SELECT k.gid FROM kept k
       WHERE EXISTS (SELECT FROM group_info x WHERE x.gid = k.gid AND x.epoch < k.epoch OFFSET 0)
          OR EXISTS (SELECT FROM group_tree x WHERE x.gid = k.gid AND x.epoch < k.epoch OFFSET 0)
          OR EXISTS (SELECT FROM group_snapshot x WHERE x.gid = k.gid AND x.epoch < k.snapshot_epoch OFFSET 0)
          OR EXISTS (SELECT FROM commit_claim x WHERE x.gid = k.gid AND x.seq <= k.floor_seq AND NOT x.reinit OFFSET 0)
          OR EXISTS (SELECT FROM commit_report x WHERE x.gid = k.gid AND x.seq <= k.floor_seq OFFSET 0)
       ORDER BY k.gid`,
    values: [gids],
  })
  return rows.map(({ gid }) => gid)
}

/**
 * What belonged to entries of a group that are gone: claims, reports, and whatever described epochs before the first Commit that is left. That a
 * ReInit ended the group stays known: no reset of such a group can be undone.
 */
export async function deleteLeftovers(sql: Sql, gid: bigint): Promise<number> {
  return deleteCounted(sql, {
    name: 'delete_leftovers',
    text: countedOff(`kept AS (
        SELECT g.gid, g.floor_seq, ${KEPT_EPOCHS} FROM groups g WHERE g.gid = $1 AND g.floor_seq > 0 AND g.deleted_at IS NULL AND EXISTS (SELECT FROM held)
      ), infos AS (
        DELETE FROM group_info x USING kept k WHERE x.gid = k.gid AND x.epoch < k.epoch RETURNING octet_length(x.bytes) AS bytes
      ), trees AS (
        DELETE FROM group_tree x USING kept k WHERE x.gid = k.gid AND x.epoch < k.epoch RETURNING octet_length(x.bytes) AS bytes
      ), snapshots AS (
        DELETE FROM group_snapshot x USING kept k WHERE x.gid = k.gid AND x.epoch < k.snapshot_epoch RETURNING octet_length(x.bytes) AS bytes
      ), claims AS (
        DELETE FROM commit_claim x USING kept k WHERE x.gid = k.gid AND x.seq <= k.floor_seq AND NOT x.reinit RETURNING 0 AS bytes
      ), reports AS (
        DELETE FROM commit_report x USING kept k WHERE x.gid = k.gid AND x.seq <= k.floor_seq RETURNING 0 AS bytes
      ), gone AS (
        SELECT * FROM infos UNION ALL SELECT * FROM trees UNION ALL SELECT * FROM snapshots UNION ALL SELECT * FROM claims UNION ALL SELECT * FROM reports
      )`),
    values: [gid],
  })
}
