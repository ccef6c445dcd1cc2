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
 * Records the owners of KeyPackages that were handed out through this hub: Welcomes are routed by it (RFC 9420 §12.4.3.1). Which of them are of
 * last resort only their provider knows, so here none counts as good for one group only.
 */
export async function recordForeignRefs(sql: Sql, refs: readonly ForeignRef[]): Promise<void> {
  await sql.query({
    name: 'record_foreign_refs',
    text: `INSERT INTO key_package_claim (ref, device_id, cipher_suite, last_resort, expires_at)
           SELECT x.ref, x.device_id, x.cipher_suite, true, x.expires_at
             FROM unnest($1::bytea[], $2::bigint[], $3::integer[], $4::timestamptz[]) AS x (ref, device_id, cipher_suite, expires_at)
           ON CONFLICT (ref) DO UPDATE SET last_resort = true`,
    values: [
      refs.map(({ ref }) => ref),
      refs.map(({ deviceId }) => deviceId),
      refs.map(({ cipherSuite }) => cipherSuite),
      refs.map(({ expiresAt }) => expiresAt),
    ],
  })
}

/** Whether a Welcome to any of these KeyPackages has been taken. */
export async function anyUsed(sql: Sql, refs: readonly Uint8Array[]): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'any_ref_used',
    text: 'SELECT FROM key_package_claim WHERE ref = ANY ($1) AND used LIMIT 1',
    values: [refs],
  })
  return rows.length > 0
}

/** The address of the current group of a room at home here. */
export async function currentGroupOf(sql: Sql, roomId: string): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ groupId: Buffer }>({
    name: 'current_group_of',
    text: `SELECT g.group_id AS "groupId" FROM room r JOIN groups g ON g.gid = r.current_gid
            WHERE r.room_id = $1 AND g.deleted_at IS NULL AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = g.gid)`,
    values: [roomId],
  })
  return rows[0]?.groupId
}
