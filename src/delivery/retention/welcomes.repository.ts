import type { Sql } from '../../platform/postgres/sql.js'

/**
 * Welcomes whose KeyPackages have expired can no longer be answered: they go, `limit` at most, and the devices that still are members get
 * `resync` in their inboxes, to join by themselves. Locks member before inbox, as everyone does. Rows of both tables are never updated, so
 * their place (ctid) finds them, without a join that PostgreSQL would read whole tables for.
 * @param now null: by PostgreSQL's clock
 * @returns how many went, and the devices that got `resync`: hint their inboxes, after COMMIT
 */
export async function purgeExpiredWelcomes(sql: Sql, now: Date | null, limit: number): Promise<{ purged: number; notified: bigint[] }> {
  const { rows } = await sql.query<{ purged: bigint; notified: bigint[] }>({
    name: 'purge_expired_welcomes',
    text: `
      WITH expired AS MATERIALIZED (
        SELECT ctid AS place, gid, seq, ordinal FROM welcome WHERE expires_at <= coalesce($1::timestamptz, now()) ORDER BY expires_at LIMIT $2
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
      ), gone AS (
        DELETE FROM inbox WHERE ctid = ANY (ARRAY(SELECT place FROM waiting)) AND (SELECT count(*) FROM joining) >= 0
      ), dropped AS (
        DELETE FROM welcome WHERE ctid = ANY (ARRAY(SELECT place FROM expired)) RETURNING 1
      ), notified AS (
        INSERT INTO inbox (device_id, kind, gid) SELECT device_id, 'resync', gid FROM marked ORDER BY device_id RETURNING device_id
      )
      SELECT (SELECT count(*) FROM dropped) AS purged, (SELECT coalesce(array_agg(device_id), '{}') FROM notified) AS notified`,
    values: [now, limit],
  })
  return { purged: Number(rows[0]?.purged ?? 0n), notified: rows[0]?.notified ?? [] }
}

/**
 * Welcomes that no inbox refers to any more, `limit` at most: a Welcome and its inbox rows are written in one transaction.
 * @returns how many went
 */
export async function purgeAcknowledgedWelcomes(sql: Sql, limit: number): Promise<number> {
  const { rowCount } = await sql.query({
    name: 'purge_acknowledged_welcomes',
    text: `
      DELETE FROM welcome USING (
        SELECT w.gid, w.seq, w.ordinal FROM welcome w
         WHERE NOT EXISTS (SELECT FROM inbox i WHERE i.gid = w.gid AND i.kind = 'welcome' AND i.seq = w.seq AND i.ordinal = w.ordinal OFFSET 0)
         LIMIT $1
      ) old WHERE welcome.gid = old.gid AND welcome.seq = old.seq AND welcome.ordinal = old.ordinal`,
    values: [limit],
  })
  return rowCount ?? 0
}
