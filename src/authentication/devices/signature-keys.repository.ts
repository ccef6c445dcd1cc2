import type { Sql } from '../../platform/postgres/sql.js'
import type { SignatureKey } from '../../protocol/signature-key.js'

export interface NewKey extends SignatureKey {
  readonly validUntil: Date | undefined
}

const VALID = 'revoked_at IS NULL AND coalesce(valid_until > now(), true)'

/** @returns the new row's id, or undefined if the key is registered already, wherever it is */
export async function insertSignatureKey(sql: Sql, deviceId: bigint, key: NewKey): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ id: bigint }>(
    `INSERT INTO signature_key (device_id, scheme, public_key, valid_until) VALUES ($1, $2, $3, $4)
     ON CONFLICT (public_key) DO NOTHING RETURNING id`,
    [deviceId, key.scheme, key.publicKey, key.validUntil ?? null],
  )
  return rows[0]?.id
}

/** Names the successor of a device's own valid key, which may have one only. The old key stays valid too. */
export async function setSuccessor(sql: Sql, deviceId: bigint, keyId: bigint, successorId: bigint): Promise<boolean> {
  const { rowCount } = await sql.query(
    `UPDATE signature_key SET successor_id = $3 WHERE id = $2 AND device_id = $1 AND successor_id IS NULL AND ${VALID}`,
    [deviceId, keyId, successorId],
  )
  return rowCount === 1
}

/** To be read with the account's lock held: neither revoked nor past `valid_until`. */
export async function countValidKeys(sql: Sql, deviceId: bigint): Promise<number> {
  const { rows } = await sql.query<{ count: bigint }>(`SELECT count(*) FROM signature_key WHERE device_id = $1 AND ${VALID}`, [deviceId])
  return Number(rows[0]?.count ?? 0)
}

/** Whether a key of this device is there, and still valid. */
export async function findKey(sql: Sql, deviceId: bigint, keyId: bigint): Promise<{ valid: boolean } | undefined> {
  const { rows } = await sql.query<{ valid: boolean }>(`SELECT ${VALID} AS valid FROM signature_key WHERE id = $2 AND device_id = $1`, [
    deviceId,
    keyId,
  ])
  return rows[0]
}

/** @returns in canonical form; undefined if this device never had a key of this id */
export async function publicKeyOf(sql: Sql, deviceId: bigint, keyId: bigint): Promise<Uint8Array | undefined> {
  const { rows } = await sql.query<{ publicKey: Uint8Array }>(
    'SELECT public_key AS "publicKey" FROM signature_key WHERE id = $2 AND device_id = $1',
    [deviceId, keyId],
  )
  return rows[0]?.publicKey
}

/** With the account's lock held it stays so until COMMIT. @param publicKey in canonical form */
export async function hasValidKey(sql: Sql, deviceId: bigint, publicKey: Uint8Array): Promise<boolean> {
  const { rows } = await sql.query(`SELECT FROM signature_key WHERE device_id = $1 AND public_key = $2 AND ${VALID}`, [deviceId, publicKey])
  return rows.length > 0
}

/** Call it with the account's lock held. A key that was revoked before keeps its time. */
export async function retireKey(sql: Sql, keyId: bigint): Promise<void> {
  await sql.query('UPDATE signature_key SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL', [keyId])
}

/** The device that holds this valid key, for a login; with the account's lock held it stays so until COMMIT. */
export async function deviceWithKey(
  sql: Sql,
  accountId: bigint,
  clientUri: string,
  publicKey: Uint8Array,
): Promise<{ deviceId: bigint; generation: number } | undefined> {
  const { rows } = await sql.query<{ deviceId: bigint; generation: number }>({
    name: 'device_with_key',
    text: `SELECT device.id AS "deviceId", device.session_generation AS generation
           FROM device JOIN signature_key ON signature_key.device_id = device.id
           WHERE device.account_id = $1 AND device.client_uri = $2 AND device.revoked_at IS NULL
             AND signature_key.public_key = $3 AND signature_key.revoked_at IS NULL AND coalesce(signature_key.valid_until > now(), true)`,
    values: [accountId, clientUri, publicKey],
  })
  return rows[0]
}
