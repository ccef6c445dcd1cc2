import type { Sql } from '../../platform/postgres/sql.js'

/** What one batch has done. */
export interface NoticedDevices {
  /** Whether there was a group to tell. */
  readonly found: boolean
  /** Devices that have an item in their inboxes. */
  readonly told: bigint[]
}

/**
 * Tells the next members of the next group that a user in it has another identity (prisma/functions/triggers.sql, note_identity_change): devices of
 * this provider's users that have not heard of it yet. Two workers take different groups.
 * @param domain this provider's @param limit members that are looked at
 */
export async function tellOfIdentity(sql: Sql, domain: string, limit: number): Promise<NoticedDevices> {
  const { rows } = await sql.query<NoticedDevices>({
    name: 'tell_of_identity',
    text: `WITH due AS MATERIALIZED (
             SELECT n.account_id, n.gid, n.after_device FROM identity_notice n ORDER BY n.account_id, n.gid LIMIT 1 FOR UPDATE SKIP LOCKED
           ), page AS MATERIALIZED (
             SELECT m.device_id, x.account_id FROM due x CROSS JOIN LATERAL (
               SELECT m.device_id FROM member m WHERE m.gid = x.gid AND m.until_seq IS NULL AND m.device_id > x.after_device
                ORDER BY m.device_id LIMIT $2 OFFSET 0) m
           ), told AS (
             INSERT INTO inbox (device_id, kind, payload)
             SELECT p.device_id, 'identity.changed', jsonb_build_object('user', a.user_uri)
               FROM page p
               CROSS JOIN LATERAL (SELECT a.user_uri FROM account a WHERE a.id = p.account_id OFFSET 0) a
               CROSS JOIN LATERAL (SELECT d.account_id FROM device d WHERE d.id = p.device_id AND d.revoked_at IS NULL OFFSET 0) d
               CROSS JOIN LATERAL (SELECT b.user_uri FROM account b WHERE b.id = d.account_id OFFSET 0) b
              WHERE d.account_id <> p.account_id AND provider_of(b.user_uri) = $1 AND NOT EXISTS (
                SELECT FROM inbox i WHERE i.device_id = p.device_id AND i.kind = 'identity.changed' AND i.payload ->> 'user' = a.user_uri)
              ORDER BY p.device_id
             RETURNING device_id
           ), done AS (
             DELETE FROM identity_notice n USING due x
              WHERE n.account_id = x.account_id AND n.gid = x.gid AND (SELECT count(*) FROM page) < $2
           ), later AS (
             UPDATE identity_notice n SET after_device = (SELECT max(p.device_id) FROM page p) FROM due x
              WHERE n.account_id = x.account_id AND n.gid = x.gid AND (SELECT count(*) FROM page) >= $2
           )
           SELECT EXISTS (SELECT FROM due) AS found, ARRAY(SELECT t.device_id FROM told t) AS told`,
    values: [domain, limit],
  })
  return rows[0] ?? { found: false, told: [] }
}
