import type { Sql } from '../../platform/postgres/sql.js'

/** Which of these users are banned. */
export async function bannedAmong(sql: Sql, gid: bigint, userIds: readonly bigint[]): Promise<Set<bigint>> {
  if (userIds.length === 0) return new Set()
  const { rows } = await sql.query<{ userId: bigint }>({
    name: 'banned_among',
    text: 'SELECT user_id AS "userId" FROM group_ban WHERE gid = $1 AND user_id = ANY ($2)',
    values: [gid, userIds],
  })
  return new Set(rows.map(({ userId }) => userId))
}

/** Devices that a Commit of a private group claims to remove, by client URI; unknown ones and those that are no members are left out. */
export async function claimedMembers(
  sql: Sql,
  gid: bigint,
  clients: readonly string[],
): Promise<Map<string, { deviceId: bigint; userId: bigint; admin: boolean }>> {
  if (clients.length === 0) return new Map()
  const { rows } = await sql.query<{ client: string; deviceId: bigint; userId: bigint; admin: boolean }>({
    name: 'claimed_members',
    text: `SELECT x.client, d.id AS "deviceId", d.account_id AS "userId",
                  EXISTS (SELECT FROM group_admin a WHERE a.gid = $1 AND a.user_id = d.account_id) AS admin
             FROM unnest($2::text[]) AS x (client)
            CROSS JOIN LATERAL (SELECT * FROM device WHERE device.client_uri = x.client OFFSET 0) d
            CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = d.id AND m.gid = $1 AND m.until_seq IS NULL OFFSET 0) m`,
    values: [gid, clients],
  })
  return new Map(rows.map(({ client, ...device }) => [client, device]))
}

/** Which of these devices are members now. */
export async function presentAmong(sql: Sql, gid: bigint, deviceIds: readonly bigint[]): Promise<Set<bigint>> {
  if (deviceIds.length === 0) return new Set()
  const { rows } = await sql.query<{ deviceId: bigint }>({
    name: 'present_among',
    text: `SELECT DISTINCT x.device_id AS "deviceId" FROM unnest($2::bigint[]) AS x (device_id)
            CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = x.device_id AND m.gid = $1 AND m.until_seq IS NULL OFFSET 0) m`,
    values: [gid, deviceIds],
  })
  return new Set(rows.map(({ deviceId }) => deviceId))
}

/** A member's device. */
export interface PresentClient {
  deviceId: bigint
  /** On the way out: it asked to leave, was revoked, or its user is banned or disabled. */
  leaving: boolean
}

/** The members of a group, by client URI. */
export async function presentClients(sql: Sql, gid: bigint): Promise<Map<string, PresentClient>> {
  const { rows } = await sql.query<PresentClient & { client: string }>({
    name: 'present_clients',
    text: `
      SELECT d.client_uri AS client, d.id AS "deviceId",
             d.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL
             OR EXISTS (SELECT FROM pending_removal r WHERE r.gid = m.gid AND r.device_id = d.id)
             OR EXISTS (SELECT FROM group_ban b WHERE b.gid = m.gid AND b.user_id = a.id) AS leaving
        FROM member m JOIN device d ON d.id = m.device_id JOIN account a ON a.id = d.account_id
       WHERE m.gid = $1 AND m.until_seq IS NULL`,
    values: [gid],
  })
  return new Map(rows.map(({ client, ...present }) => [client, present]))
}
