import type { Sql } from '../../platform/postgres/sql.js'

/** The current group of a room at home here, for a provider that has members in it, or anyone where joining takes no invitation: its MLS group id. */
export async function groupForPeer(sql: Sql, roomId: string, domain: string): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ groupId: Buffer }>({
    name: 'group_for_peer',
    text: `SELECT coalesce(g.mls_group_id, g.group_id) AS "groupId" FROM room r JOIN groups g ON g.gid = r.current_gid JOIN group_policy p ON p.gid = g.gid
            WHERE r.room_id = $1 AND g.deleted_at IS NULL AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid)
              AND (p.external_join IN ('code', 'open') OR EXISTS (SELECT FROM peer_cursor c WHERE c.gid = g.gid AND c.domain = $2))`,
    values: [roomId, domain],
  })
  return rows[0]?.groupId
}

/** Whether a group is at home here, and a provider has or had members in it, or joining it takes no invitation. */
export async function isOpenTo(sql: Sql, groupId: Uint8Array, domain: string): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'is_open_to',
    text: `SELECT FROM groups g
            WHERE g.group_id = $1 AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid)
              AND (EXISTS (SELECT FROM peer_cursor c WHERE c.gid = g.gid AND c.domain = $2)
                OR EXISTS (SELECT FROM peer_deletion x WHERE x.domain = $2 AND x.group_id = g.group_id)
                OR EXISTS (SELECT FROM group_policy p WHERE p.gid = g.gid AND p.external_join IN ('code', 'open')))`,
    values: [groupId, domain],
  })
  return rows.length > 0
}

/** Whether a device is a member of the current group of a room. */
export async function isInRoom(sql: Sql, roomId: string, deviceId: bigint): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'is_in_room',
    text: `SELECT FROM room r JOIN member m ON m.gid = r.current_gid WHERE r.room_id = $1 AND m.device_id = $2 AND m.until_seq IS NULL LIMIT 1`,
    values: [roomId, deviceId],
  })
  return rows.length > 0
}

export interface ForeignRef {
  ref: Uint8Array
  deviceId: bigint
  cipherSuite: number
  expiresAt: Date
}

/**
 * Records the owners of KeyPackages that were handed out through this hub: Welcomes are routed by it (RFC 9420 §12.4.3.1). Each is good for one join
 * in the room for which its provider gave it, each time that it gives it: that provider believes no other. Which of them are of last resort only
 * the provider knows, so none counts as used up for all rooms. One that its provider names twice is one.
 */
export async function recordForeignRefs(sql: Sql, roomId: string, refs: readonly ForeignRef[]): Promise<void> {
  await sql.query({
    name: 'record_foreign_refs',
    text: `WITH given AS (
             INSERT INTO key_package_claim (ref, device_id, cipher_suite, last_resort, expires_at)
             SELECT DISTINCT ON (x.ref) x.ref, x.device_id, x.cipher_suite, true, x.expires_at
               FROM unnest($2::bytea[], $3::bigint[], $4::integer[], $5::timestamptz[]) AS x (ref, device_id, cipher_suite, expires_at)
              ORDER BY x.ref
             ON CONFLICT (ref) DO UPDATE SET last_resort = true
             RETURNING ref
           )
           INSERT INTO foreign_key_package (ref, room_id) SELECT g.ref, $1 FROM given g ORDER BY g.ref
           ON CONFLICT (ref, room_id) DO UPDATE SET used = false`,
    values: [
      roomId,
      refs.map(({ ref }) => ref),
      refs.map(({ deviceId }) => deviceId),
      refs.map(({ cipherSuite }) => cipherSuite),
      refs.map(({ expiresAt }) => expiresAt),
    ],
  })
}
