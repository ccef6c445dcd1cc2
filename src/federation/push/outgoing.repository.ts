import { LOG_COLUMNS, type LogRow } from '../../delivery/read/entry.js'
import { ALIVE } from '../../groups/repository/group-row.js'
import type { Sql } from '../../platform/postgres/sql.js'

/** A group as a peer has to know it, and where the run of entries for it begins. */
export interface OutgoingGroup {
  gid: bigint
  /** In MLS. */
  groupId: Buffer
  roomId: string
  incarnation: number
  /** The latest that was announced to the peer. */
  toldIncarnation: number
  mode: 'public' | 'private'
  cipherSuite: number
  epoch: bigint
  postFloor: bigint
  headSeq: bigint
  floorSeq: bigint
  headChain: Buffer
  frozen: 'reinit' | 'reset' | null
  successorGroupId: Buffer | null
  /** How often its members had to be told that it stopped or goes on, and of how many times the peer knows. */
  stops: number
  toldStops: number
  fromSeq: bigint
  acked: bigint
  untilSeq: bigint | null
}

/** Undefined for a deleted group, or one in which the peer has no cursor. */
export async function readOutgoingGroup(sql: Sql, domain: string, gid: bigint): Promise<OutgoingGroup | undefined> {
  const { rows } = await sql.query<OutgoingGroup>({
    name: 'read_outgoing_group',
    text: `SELECT g.gid, coalesce(g.mls_group_id, g.group_id) AS "groupId", g.room_id AS "roomId", g.incarnation, c.incarnation AS "toldIncarnation", g.mode, g.cipher_suite AS "cipherSuite", g.epoch,
                  g.post_floor AS "postFloor", g.head_seq AS "headSeq", g.floor_seq AS "floorSeq", g.head_chain AS "headChain", g.frozen, g.successor_group_id AS "successorGroupId",
                  g.stops, c.told_stops AS "toldStops", c.from_seq AS "fromSeq", c.acked, c.until_seq AS "untilSeq"
             FROM peer_cursor c JOIN groups g USING (gid) WHERE c.domain = $1 AND c.gid = $2 AND g.deleted_at IS NULL`,
    values: [domain, gid],
  })
  return rows[0]
}

export interface RunLimits {
  readonly entries: number
  readonly bytes: number
}

/** Entries after `afterSeq` up to `untilSeq`, within limits; the first always fits. */
export async function readRun(sql: Sql, gid: bigint, afterSeq: bigint, untilSeq: bigint, limits: RunLimits): Promise<LogRow[]> {
  const { rows } = await sql.query<LogRow>({
    name: 'read_run',
    text: `SELECT ${LOG_COLUMNS} FROM log l JOIN (
             SELECT s.seq, sum(octet_length(s.bytes)) OVER (ORDER BY s.seq) - octet_length(s.bytes) AS before FROM (
               SELECT x.seq, x.bytes FROM log x WHERE x.gid = $1 AND x.seq > $2 AND x.seq <= $3 ORDER BY x.seq LIMIT $4
             ) s
           ) kept ON kept.seq = l.seq AND kept.before < $5
           WHERE l.gid = $1 AND ${ALIVE} ORDER BY l.seq`,
    values: [gid, afterSeq, untilSeq, limits.entries, limits.bytes],
  })
  return rows
}

/**
 * The chain value of the place before an entry of this incarnation: where the incarnation begins, that is its initial value.
 * Undefined once it is retired.
 */
export async function readChain(sql: Sql, gid: bigint, seq: bigint, incarnation: number): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ chain: Buffer | null }>({
    name: 'read_chain',
    text: `SELECT CASE WHEN coalesce((SELECT i.from_seq FROM incarnation_start i WHERE i.gid = $1 AND i.incarnation = $3), 0) = $2
                       THEN log_chain_start(coalesce(g.mls_group_id, g.group_id), $3) ELSE (SELECT l.chain FROM log l WHERE l.gid = $1 AND l.seq = $2) END AS chain
             FROM groups g WHERE g.gid = $1`,
    values: [gid, seq, incarnation],
  })
  return rows[0]?.chain ?? undefined
}

export interface OutgoingRosterChange {
  seq: bigint
  client: string
  change: 'joined' | 'left'
  ended: 'removed' | 'left' | 'revoked' | 'resync' | null
}

/** Which clients of the peer joined and left by the entries from `fromSeq` to `toSeq`, both included. */
export async function readRosterChanges(
  sql: Sql,
  domain: string,
  gid: bigint,
  fromSeq: bigint,
  toSeq: bigint,
): Promise<OutgoingRosterChange[]> {
  const { rows } = await sql.query<OutgoingRosterChange>({
    name: 'read_roster_changes',
    text: `SELECT m.until_seq AS seq, d.client_uri AS client, 'left' AS change, m.ended FROM member m JOIN device d ON d.id = m.device_id
            WHERE m.gid = $2 AND m.until_seq BETWEEN $3 AND $4 AND provider_of(d.client_uri) = $1
           UNION ALL
           SELECT m.from_seq - 1, d.client_uri, 'joined', NULL FROM member m JOIN device d ON d.id = m.device_id
            WHERE m.gid = $2 AND m.from_seq - 1 BETWEEN $3 AND $4 AND provider_of(d.client_uri) = $1
           ORDER BY 1, 3 DESC, 2`,
    values: [domain, gid, fromSeq, toSeq],
  })
  return rows
}

export interface OutgoingWelcome {
  seq: bigint
  epoch: bigint
  bytes: Buffer
  expiresAt: Date
  clients: string[]
}

/** Welcomes that wait here for clients of the peer. */
export async function readWelcomes(sql: Sql, domain: string, gid: bigint, fromSeq: bigint, toSeq: bigint): Promise<OutgoingWelcome[]> {
  const { rows } = await sql.query<OutgoingWelcome>({
    name: 'read_outgoing_welcomes',
    text: `SELECT w.seq, w.epoch, w.bytes, w.expires_at AS "expiresAt", array_agg(d.client_uri ORDER BY d.client_uri) AS clients
             FROM inbox i JOIN device d ON d.id = i.device_id
             JOIN groups g ON g.gid = i.gid AND g.deleted_at IS NULL
             JOIN welcome w ON w.gid = i.gid AND w.seq = i.seq AND w.ordinal = i.ordinal
            WHERE i.gid = $2 AND i.kind = 'welcome' AND i.seq BETWEEN $3 AND $4 AND provider_of(d.client_uri) = $1
            GROUP BY w.gid, w.seq, w.ordinal ORDER BY w.seq, w.ordinal`,
    values: [domain, gid, fromSeq, toSeq],
  })
  return rows
}

/** The incarnation that the entry at `seq` was accepted in, and the last seq of that incarnation, if there are later ones. */
export async function readIncarnation(sql: Sql, gid: bigint, seq: bigint): Promise<{ incarnation: number; last: bigint | null }> {
  const { rows } = await sql.query<{ incarnation: number; last: bigint | null }>({
    name: 'read_incarnation',
    text: `SELECT coalesce(max(incarnation) FILTER (WHERE from_seq < $2), 1) AS incarnation, min(from_seq) FILTER (WHERE from_seq >= $2) AS last
             FROM incarnation_start WHERE gid = $1`,
    values: [gid, seq],
  })
  return rows[0] ?? { incarnation: 1, last: null }
}

/**
 * The first stretch of the log after `afterSeq` in which the peer had members without a break, both ends included: from the Commit
 * that brought one to the Commit that took the last one. `until` is null while it has some.
 */
export async function readPresence(
  sql: Sql,
  domain: string,
  gid: bigint,
  afterSeq: bigint,
): Promise<{ from: bigint; until: bigint | null } | undefined> {
  const { rows } = await sql.query<{ from: bigint; until: bigint | null }>({
    name: 'read_presence',
    text: `
      WITH stay AS (
        SELECT m.from_seq - 1 AS lo, coalesce(m.until_seq, 9223372036854775807) AS hi FROM member m JOIN device d ON d.id = m.device_id
         WHERE m.gid = $2 AND provider_of(d.client_uri) = $1
      ), reach AS (
        SELECT lo, hi, max(hi) OVER (ORDER BY lo, hi ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM stay
      ), numbered AS (
        SELECT lo, hi, count(*) FILTER (WHERE before IS NULL OR lo > before + 1) OVER (ORDER BY lo, hi) AS part
          FROM (SELECT lo, hi, least(before, 9223372036854775806) AS before FROM reach) r
      ), joint AS (
        SELECT min(lo) AS lo, max(hi) AS hi FROM numbered GROUP BY part
      )
      SELECT greatest(lo, $3::bigint + 1) AS from, nullif(hi, 9223372036854775807) AS until
        FROM joint WHERE hi > $3 ORDER BY lo LIMIT 1`,
    values: [domain, gid, afterSeq],
  })
  return rows[0]
}
