import type { Sql } from '../../platform/postgres/sql.js'
import { countedOff, deleteCounted } from './group-storage.repository.js'

/** Groups with Welcomes whose KeyPackages have expired, `limit` at most. @param now null: by PostgreSQL's clock */
export async function havingExpiredWelcomes(sql: Sql, now: Date | null, limit: number): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'having_expired_welcomes',
    text: `SELECT DISTINCT e.gid FROM (
             SELECT gid FROM welcome WHERE expires_at <= coalesce($1::timestamptz, now()) ORDER BY expires_at LIMIT $2
           ) e ORDER BY e.gid`,
    values: [now, limit],
  })
  return rows.map(({ gid }) => gid)
}

/**
 * Welcomes of a group whose KeyPackages have expired can no longer be answered: they go, `limit` at most, and the devices that still are members get
 * `resync` in their inboxes, to join by themselves. Locks groups before member before inbox, as everyone does. Rows of welcome and inbox are never
 * updated, so their place (ctid) finds them, without a join that PostgreSQL would read whole tables for.
 * @param now null: by PostgreSQL's clock
 * @returns how many went, and the devices that got `resync`: hint their inboxes, after COMMIT
 */
export async function purgeExpiredWelcomes(
  sql: Sql,
  gid: bigint,
  now: Date | null,
  limit: number,
): Promise<{ purged: number; notified: bigint[] }> {
  const { rows } = await sql.query<{ rows: bigint; notified: bigint[] }>({
    name: 'purge_expired_welcomes',
    text: countedOff(
      `expired AS MATERIALIZED (
        SELECT ctid AS place, gid, seq, ordinal FROM welcome
         WHERE gid = $1 AND expires_at <= coalesce($2::timestamptz, now()) AND EXISTS (SELECT FROM held) ORDER BY seq, ordinal LIMIT $3
      ), waiting AS MATERIALIZED (
        SELECT i.* FROM expired e CROSS JOIN LATERAL (
          SELECT ctid AS place, device_id, gid, seq FROM inbox
           WHERE gid = e.gid AND kind = 'welcome' AND seq = e.seq AND ordinal = e.ordinal OFFSET 0
        ) i
      ), joining AS MATERIALIZED (
        SELECT m.device_id, m.gid, m.from_seq FROM waiting i
          JOIN member m ON m.device_id = i.device_id AND m.gid = i.gid AND m.from_seq = i.seq + 1 AND m.until_seq IS NULL
         ORDER BY m.device_id, m.gid, m.from_seq FOR UPDATE OF m
      ), marked AS (
        UPDATE member m SET resync = true FROM joining j
         WHERE m.device_id = j.device_id AND m.gid = j.gid AND m.from_seq = j.from_seq RETURNING m.device_id, m.gid
      ), dropped AS (
        DELETE FROM inbox WHERE ctid = ANY (ARRAY(SELECT place FROM waiting)) AND (SELECT count(*) FROM joining) >= 0
      ), told AS (
        INSERT INTO inbox (device_id, kind, gid) SELECT device_id, 'resync', gid FROM marked ORDER BY device_id RETURNING device_id
      ), gone AS (
        DELETE FROM welcome WHERE ctid = ANY (ARRAY(SELECT place FROM expired)) RETURNING octet_length(bytes) AS bytes
      )`,
      ", (SELECT coalesce(array_agg(device_id), '{}') FROM told) AS notified",
    ),
    values: [gid, now, limit],
  })
  return { purged: Number(rows[0]?.rows ?? 0n), notified: rows[0]?.notified ?? [] }
}

/** Groups with Welcomes that no inbox refers to any more, among the first `limit` of these: a Welcome and its inbox rows are written in one transaction. */
export async function havingAcknowledgedWelcomes(sql: Sql, limit: number): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'having_acknowledged_welcomes',
    text: `SELECT DISTINCT w.gid FROM (SELECT w.gid FROM welcome w WHERE ${UNREFERRED} LIMIT $1) w ORDER BY w.gid`,
    values: [limit],
  })
  return rows.map(({ gid }) => gid)
}

/** Welcomes of a group that no inbox refers to any more, `limit` at most. @returns how many went */
export async function purgeAcknowledgedWelcomes(sql: Sql, gid: bigint, limit: number): Promise<number> {
  return deleteCounted(sql, {
    name: 'purge_acknowledged_welcomes',
    text: countedOff(`old AS (
        SELECT w.gid, w.seq, w.ordinal FROM welcome w WHERE w.gid = $1 AND ${UNREFERRED} AND EXISTS (SELECT FROM held) LIMIT $2
      ), gone AS (
        DELETE FROM welcome USING old WHERE welcome.gid = old.gid AND welcome.seq = old.seq AND welcome.ordinal = old.ordinal
        RETURNING octet_length(welcome.bytes) AS bytes
      )`),
    values: [gid, limit],
  })
}

const UNREFERRED = `NOT EXISTS (SELECT FROM inbox i WHERE i.gid = w.gid AND i.kind = 'welcome' AND i.seq = w.seq AND i.ordinal = w.ordinal OFFSET 0)`
