import type { Sql } from '../../platform/postgres/sql.js'
import { LISTED_CERTIFICATE, LISTED_COLUMNS } from '../../authentication/directory/leaf-certificates.repository.js'
import { numbersIn, type ListedCertificate } from '../../authentication/directory/leaf-certificates.js'
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
  /** Data of the new or changed leaf's extension with its certificate. */
  extension?: Uint8Array | undefined
  /** Those of an X.509 credential. */
  certificates?: readonly Uint8Array[] | undefined
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
  /** By client URI, of clients whose certificate was asked for. */
  listed: ReadonlyMap<string, ListedLeaf>
}

/** What the list of its user says of a leaf. */
export interface ListedLeaf extends ListedCertificate {
  /** Clients of the same user that are members, and whose certificates were of another identity. */
  ofOtherIdentity: readonly string[]
}

/** Clients of other identities of the user `d` that are members; almost nobody has had another identity. */
const OF_OTHER_IDENTITY = `CASE WHEN listed.identities > 1 THEN ARRAY(
    SELECT o.client_uri FROM device o
     CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = o.id AND m.gid = $1 AND m.until_seq IS NULL OFFSET 0) m
     WHERE o.account_id = d.account_id AND EXISTS (
       SELECT FROM device_certificate c WHERE c.account_id = o.account_id AND c.identity <> listed.identity AND c.device_id = o.id
     )
  ) ELSE '{}' END AS "ofOtherIdentity"`

/**
 * All that the database knows of those whom a Commit names, in one statement. "OFFSET 0" makes each client one look-up.
 * @param byKey where a leaf shows no certificate, what the list says of its key
 */
export async function devicesOfLeaves(sql: Sql, gid: bigint, leaves: readonly NamedLeaf[], byKey = false): Promise<LeafDevices> {
  if (leaves.length === 0) return { directory: new Map(), unregistered: new Set(), listed: new Map() }
  const numbers = leaves.map(({ extension }) => numbersIn(extension))
  const { rows } = await sql.query<Device & ListedLeaf & { client: string; registered: boolean }>({
    name: 'devices_of_leaves',
    text: `SELECT x.client, d.id AS "deviceId", d.account_id AS "userId",
                  d.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL AS revoked,
                  EXISTS (SELECT FROM group_ban b WHERE b.gid = $1 AND b.user_id = d.account_id) AS banned,
                  EXISTS (SELECT FROM group_admin a WHERE a.gid = $1 AND a.user_id = d.account_id) AS admin,
                  x.public_key IS NULL OR ${IS_REGISTERED} AS registered, ${LISTED_COLUMNS}, ${OF_OTHER_IDENTITY}
             FROM unnest($2::text[], $3::bytea[], $4::integer[], $5::integer[], $6::boolean[]) AS x (client, public_key, certificate, list_number, by_key)
            CROSS JOIN LATERAL (SELECT * FROM device WHERE device.client_uri = x.client OFFSET 0) d
             JOIN account a ON a.id = d.account_id
            ${LISTED_CERTIFICATE}`,
    values: [
      gid,
      leaves.map(({ client }) => client),
      leaves.map(({ publicKey }) => publicKey && canonical(publicKey)),
      numbers.map(({ certificate }) => certificate),
      numbers.map(({ listNumber }) => listNumber),
      leaves.map(({ publicKey }) => byKey && publicKey !== null),
    ],
  })
  const directory = new Map(
    rows.map(({ client, deviceId, userId, revoked, banned, admin }) => [client, { deviceId, userId, revoked, banned, admin }]),
  )
  const unregistered = new Set(rows.flatMap(({ client, registered }) => (registered ? [] : [client])))
  return { directory, unregistered, listed: new Map(rows.map(({ client, ...listed }) => [client, listed])) }
}

/** The key as the directory stores it; empty for bytes that are no key. */
function canonical(publicKey: Uint8Array): Buffer {
  return Buffer.from(canonicalKey(publicKey)?.publicKey ?? [])
}
