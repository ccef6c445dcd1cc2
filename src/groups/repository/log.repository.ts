import { LOG_COLUMNS, type LogRow } from '../../delivery/read/entry.js'
import { READABLE } from '../../delivery/read/memberships.repository.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { ALIVE } from './group-row.js'

/** A handshake as stored in the log. */
export interface HandshakeRow extends LogRow {
  kind: 'c' | 'p'
}

/** The most that a problem document carries along. */
const MISSED_ENTRIES = 64
const MISSED_BYTES = 1024 * 1024

/**
 * The handshakes that a device which is still in `epoch` has not processed, cut to its intervals. The first one is
 * found by the Commit that made the epoch: the log is indexed by seq, and Commits by epoch.
 */
export async function readMissedHandshakes(sql: Sql, gid: bigint, deviceId: bigint, epoch: bigint): Promise<HandshakeRow[]> {
  const { rows } = await sql.query<HandshakeRow>({
    name: 'read_missed_handshakes',
    text: `
      SELECT ${LOG_COLUMNS} FROM log l JOIN (
        SELECT s.seq, sum(s.size) OVER (ORDER BY s.seq) - s.size AS before FROM (
          SELECT x.seq, octet_length(x.bytes) AS size FROM log x
           WHERE x.gid = $1 AND ${ALIVE} AND x.kind IN ('c', 'p') AND x.epoch >= $3
             AND x.seq > coalesce((SELECT c.seq FROM log c WHERE c.gid = $1 AND c.kind = 'c' AND c.epoch = $3::bigint - 1), 0)
             AND EXISTS (SELECT FROM member m WHERE m.device_id = $2 AND m.gid = $1
                           AND x.seq BETWEEN m.from_seq AND coalesce(least(m.until_seq, m.read_until), x.seq) AND ${READABLE})
           ORDER BY x.seq LIMIT ${MISSED_ENTRIES}
        ) s
      ) kept ON kept.seq = l.seq AND kept.before < ${MISSED_BYTES}
      WHERE l.gid = $1 ORDER BY l.seq`,
    values: [gid, deviceId, epoch],
  })
  return rows
}

/** Commits and proposals after `afterSeq` and of epochs up to `untilEpoch` (proposals only, of that one), for replay. */
export async function readHandshakes(sql: Sql, gid: bigint, afterSeq: bigint, untilEpoch: bigint, limit: number): Promise<HandshakeRow[]> {
  const { rows } = await sql.query<HandshakeRow>({
    name: 'read_handshakes',
    text: `SELECT ${LOG_COLUMNS} FROM log l
            WHERE l.gid = $1 AND ${ALIVE} AND l.seq > $2 AND l.kind IN ('c', 'p') AND (l.kind = 'p' AND l.epoch <= $3 OR l.kind = 'c' AND l.epoch < $3)
            ORDER BY l.seq LIMIT $4`,
    values: [gid, afterSeq, untilEpoch, limit],
  })
  return rows
}

/**
 * The handshakes with these hashes, as far as the device is a member of the group now. "OFFSET 0" makes each hash one look-up: PostgreSQL
 * takes a group to be small, and would read all of it.
 */
export async function readHandshakesByHash(
  sql: Sql,
  gid: bigint,
  deviceId: bigint,
  hashes: readonly Uint8Array[],
): Promise<HandshakeRow[]> {
  const { rows } = await sql.query<HandshakeRow>({
    name: 'read_handshakes_by_hash',
    text: `SELECT ${LOG_COLUMNS} FROM (SELECT DISTINCT unnest($3::bytea[]) AS hash) x
             CROSS JOIN LATERAL (SELECT * FROM log WHERE log.gid = $1 AND log.hash = x.hash OFFSET 0) l
            WHERE ${ALIVE} AND l.seq >= (SELECT m.from_seq FROM member m WHERE m.device_id = $2 AND m.gid = $1 AND m.until_seq IS NULL) ORDER BY l.seq`,
    values: [gid, deviceId, hashes],
  })
  return rows
}

/** The Commit that ended `epoch`. */
export async function readCommitOf(sql: Sql, gid: bigint, epoch: bigint): Promise<HandshakeRow | undefined> {
  const { rows } = await sql.query<HandshakeRow>({
    name: 'read_commit_of',
    text: `SELECT ${LOG_COLUMNS} FROM log l WHERE l.gid = $1 AND ${ALIVE} AND l.kind = 'c' AND l.epoch = $2`,
    values: [gid, epoch],
  })
  return rows[0]
}

/** The proposals of an epoch after `afterSeq` that are PublicMessages (wire format 1, RFC 9420 §6); nobody here can read the others. */
export async function readPublicProposals(sql: Sql, gid: bigint, epoch: bigint, afterSeq: bigint): Promise<HandshakeRow[]> {
  const { rows } = await sql.query<HandshakeRow>({
    name: 'read_public_proposals',
    text: `SELECT ${LOG_COLUMNS} FROM log l
            WHERE l.gid = $1 AND ${ALIVE} AND l.kind IN ('c', 'p') AND l.kind = 'p' AND l.epoch = $2
              AND l.seq > greatest($3, (SELECT c.seq FROM log c WHERE c.gid = $1 AND c.kind = 'c' AND c.epoch = $2::bigint - 1))
              AND substring(l.bytes FROM 3 FOR 2) = '\\x0001'
            ORDER BY l.seq`,
    values: [gid, epoch, afterSeq],
  })
  return rows
}
