import type { Sql } from '../../platform/postgres/sql.js'
import { canonicalKey } from '../../protocol/signature-key.js'

/** A device, and a key that is said to be one of its own; as MLS encodes it. */
export interface ClaimedKey {
  deviceId: bigint
  publicKey: Uint8Array
}

/**
 * Whether the key `x.public_key` is, now, a registered one of the device `d`. "OFFSET 0" makes each key one look-up: PostgreSQL would read all
 * foreign keys into a hash table.
 */
const IS_REGISTERED = `(
  EXISTS (
    SELECT FROM signature_key k WHERE k.public_key = x.public_key AND k.device_id = d.id
       AND k.revoked_at IS NULL AND k.valid_from <= now() AND coalesce(k.valid_until > now(), true) OFFSET 0
  ) OR EXISTS (
    SELECT FROM foreign_signature_key k WHERE k.device_id = d.id AND k.public_key = x.public_key
       AND k.valid_from <= now() AND coalesce(k.valid_until > now(), true) OFFSET 0
  ))`

/** Those of the claims that do not hold: the key is not, or no longer, a registered one of that device. */
export async function unregisteredAmong(sql: Sql, claims: readonly ClaimedKey[]): Promise<ClaimedKey[]> {
  if (claims.length === 0) return []
  const { rows } = await sql.query<{ ord: bigint }>({
    name: 'registered_among',
    text: `SELECT x.ord FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS x (device_id, public_key, ord)
            CROSS JOIN LATERAL (SELECT * FROM device WHERE device.id = x.device_id OFFSET 0) d JOIN account a ON a.id = d.account_id
            WHERE d.revoked_at IS NULL AND a.disabled_at IS NULL
              AND ${IS_REGISTERED}`,
    values: [claims.map(({ deviceId }) => deviceId), claims.map(({ publicKey }) => canonical(publicKey))],
  })
  const registered = new Set(rows.map(({ ord }) => Number(ord) - 1))
  return claims.filter((_, index) => !registered.has(index))
}

/** A client that a Commit has to do with; with the key of its leaf where that is new or changed. */
export interface NamedLeaf {
  client: string
  publicKey: Uint8Array | null
}

/** A client as the directory and the group know it. */
export interface Device {
  deviceId: bigint
  userId: bigint
  /** The device is revoked, or its account is disabled. */
  revoked: boolean
  /** The user is banned from the group. */
  banned: boolean
  /** The user is an admin of the group. */
  admin: boolean
}

/** What the database knows of those whom a Commit names. */
export interface LeafDevices {
  /** Devices by client URI; unknown ones are left out. */
  directory: Map<string, Device>
  /** Clients with a leaf whose key is not, or no longer, registered for the device. */
  unregistered: ReadonlySet<string>
}

/** All that the database knows of those whom a Commit names, in one statement. "OFFSET 0" makes each client one look-up. */
export async function devicesOfLeaves(sql: Sql, gid: bigint, leaves: readonly NamedLeaf[]): Promise<LeafDevices> {
  if (leaves.length === 0) return { directory: new Map(), unregistered: new Set() }
  const { rows } = await sql.query<Device & { client: string; registered: boolean }>({
    name: 'devices_of_leaves',
    text: `SELECT x.client, d.id AS "deviceId", d.account_id AS "userId",
                  d.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL AS revoked,
                  EXISTS (SELECT FROM group_ban b WHERE b.gid = $1 AND b.user_id = d.account_id) AS banned,
                  EXISTS (SELECT FROM group_admin a WHERE a.gid = $1 AND a.user_id = d.account_id) AS admin,
                  x.public_key IS NULL OR ${IS_REGISTERED} AS registered
             FROM unnest($2::text[], $3::bytea[]) AS x (client, public_key)
            CROSS JOIN LATERAL (SELECT * FROM device WHERE device.client_uri = x.client OFFSET 0) d
             JOIN account a ON a.id = d.account_id`,
    values: [gid, leaves.map(({ client }) => client), leaves.map(({ publicKey }) => publicKey && canonical(publicKey))],
  })
  const directory = new Map(
    rows.map(({ client, deviceId, userId, revoked, banned, admin }) => [client, { deviceId, userId, revoked, banned, admin }]),
  )
  return { directory, unregistered: new Set(rows.flatMap(({ client, registered }) => (registered ? [] : [client]))) }
}

/** The key as the directory stores it; empty for bytes that are no key. */
function canonical(publicKey: Uint8Array): Buffer {
  return Buffer.from(canonicalKey(publicKey)?.publicKey ?? [])
}
