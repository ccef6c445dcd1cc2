import type { Sql } from '../../platform/postgres/sql.js'

// What other modules ask about devices. A device counts as revoked when its account is disabled, too.
const GONE = '(device.revoked_at IS NOT NULL OR account.disabled_at IS NOT NULL)'
const VALID_KEY =
  'signature_key.revoked_at IS NULL AND signature_key.valid_from <= now() AND coalesce(signature_key.valid_until > now(), true)'

/** A registered device. */
export interface KnownDevice {
  deviceId: bigint
  userId: bigint
  revoked: boolean
}

/** Registered clients among `clientUris`; unknown ones are left out. */
export async function resolveClients(sql: Sql, clientUris: readonly string[]): Promise<Map<string, KnownDevice>> {
  const { rows } = await sql.query<KnownDevice & { client: string }>({
    name: 'resolve_clients',
    text: `SELECT device.client_uri AS client, device.id AS "deviceId", device.account_id AS "userId", ${GONE} AS revoked
           FROM device JOIN account ON account.id = device.account_id
           WHERE device.client_uri = ANY($1::text[])`,
    values: [clientUris],
  })
  return new Map(rows.map(({ client, ...device }) => [client, device]))
}

/** The names of devices, revoked ones included. */
export async function clientsOf(
  sql: Sql,
  deviceIds: readonly bigint[],
): Promise<Map<bigint, { client: string; user: string; userId: bigint }>> {
  const { rows } = await sql.query<{ id: bigint; client: string; user: string; userId: bigint }>({
    name: 'clients_of',
    text: `SELECT device.id, device.client_uri AS client, account.user_uri AS "user", account.id AS "userId"
           FROM device JOIN account ON account.id = device.account_id
           WHERE device.id = ANY($1::bigint[])`,
    values: [deviceIds],
  })
  return new Map(rows.map(({ id, ...names }) => [id, names]))
}

/** The signature keys a device may sign with now, in canonical form (ECDSA: uncompressed points); none once it is revoked. */
export async function activeKeys(sql: Sql, deviceId: bigint): Promise<{ scheme: number; publicKey: Buffer }[]> {
  const { rows } = await sql.query<{ scheme: number; publicKey: Buffer }>({
    name: 'active_keys',
    text: `SELECT signature_key.scheme, signature_key.public_key AS "publicKey"
           FROM signature_key
           JOIN device ON device.id = signature_key.device_id
           JOIN account ON account.id = device.account_id
           WHERE signature_key.device_id = $1 AND ${VALID_KEY} AND NOT ${GONE}
           ORDER BY signature_key.id`,
    values: [deviceId],
  })
  return rows
}

/** The devices of a user that may act now. */
export async function devicesOfUser(sql: Sql, userUri: string): Promise<{ deviceId: bigint; client: string }[]> {
  const { rows } = await sql.query<{ deviceId: bigint; client: string }>({
    name: 'devices_of_user',
    text: `SELECT device.id AS "deviceId", device.client_uri AS client
           FROM account JOIN device ON device.account_id = account.id
           WHERE account.user_uri = $1 AND NOT ${GONE}
           ORDER BY device.id`,
    values: [userUri],
  })
  return rows
}
