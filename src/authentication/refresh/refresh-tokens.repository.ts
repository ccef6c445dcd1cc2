import type { Sql } from '../../platform/postgres/sql.js'
import type { FamilyState } from './refresh-token.js'

/** A device may have lost tokens and logged in again; older families than these end. */
const MAX_FAMILIES = 8

/** The first token of a family. */
export interface NewFamily {
  readonly family: string
  readonly deviceId: bigint
  readonly hash: Uint8Array
  readonly ttlMs: number
  /** Thumbprint of the key that the session is bound to, 32 bytes; null: to none. */
  readonly key: Uint8Array | null
}

/** Call it with the account's lock held. @returns PostgreSQL's time */
export async function insertRefreshToken(sql: Sql, { family, deviceId, hash, ttlMs, key }: NewFamily): Promise<Date> {
  await sql.query({
    name: 'drop_oldest_families',
    text: `DELETE FROM refresh_token WHERE family = ANY (ARRAY(
             SELECT family FROM refresh_token WHERE device_id = $1 ORDER BY rotated_at DESC OFFSET $2))`,
    values: [deviceId, MAX_FAMILIES - 1],
  })
  const { rows } = await sql.query<{ now: Date }>({
    name: 'insert_refresh_token',
    text: `INSERT INTO refresh_token (family, device_id, token_hash, rotated_at, expires_at, proof_key)
           VALUES ($1, $2, $3, now(), now() + $4 * interval '1 millisecond', $5)
           RETURNING now()`,
    values: [family, deviceId, hash, ttlMs, key],
  })
  const [row] = rows
  if (row === undefined) throw new Error('INSERT … RETURNING gave no row')
  return row.now
}

/** A family that was bound to no key is so from here on, for good. With the account's lock held. @param key thumbprint, 32 bytes */
export async function bindFamily(sql: Sql, family: string, key: Uint8Array): Promise<void> {
  await sql.query('UPDATE refresh_token SET proof_key = $2 WHERE family = $1 AND proof_key IS NULL', [family, key])
}

export interface StoredFamily extends FamilyState {
  readonly deviceId: bigint
  readonly userId: bigint
  readonly client: string
  readonly generation: number
  /** SHA-256 thumbprint of the key that the session is bound to. */
  readonly proofKey: Buffer | null
  readonly now: Date
}

/** The account whose lock a refresh takes first. */
export async function accountOfFamily(sql: Sql, family: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ accountId: bigint }>({
    name: 'account_of_family',
    text: `SELECT device.account_id AS "accountId"
           FROM refresh_token JOIN device ON device.id = refresh_token.device_id WHERE refresh_token.family = $1`,
    values: [family],
  })
  return rows[0]?.accountId
}

/** Call it with the account's lock held: two uses of one token come one after the other. */
export async function readFamily(sql: Sql, family: string): Promise<StoredFamily | undefined> {
  const { rows } = await sql.query<StoredFamily>({
    name: 'read_family',
    text: `SELECT refresh_token.device_id AS "deviceId", device.account_id AS "userId", device.client_uri AS client,
             device.session_generation AS generation, token_hash AS "tokenHash", previous_hash AS "previousHash",
             proof_key AS "proofKey",
             (extract(epoch FROM clock_timestamp() - rotated_at) * 1000)::float8 AS "sinceRotationMs", now()
           FROM refresh_token JOIN device ON device.id = refresh_token.device_id
           WHERE refresh_token.family = $1 AND refresh_token.expires_at > now() AND device.revoked_at IS NULL`,
    values: [family],
  })
  return rows[0]
}

/** With the account's lock held. The present hash becomes the previous one. @param ttlMs life of the next token from now */
export async function rotateRefreshToken(sql: Sql, family: string, nextHash: Uint8Array, ttlMs: number): Promise<void> {
  await sql.query({
    name: 'rotate_refresh_token',
    text: `UPDATE refresh_token
           SET previous_hash = token_hash, token_hash = $2, rotated_at = clock_timestamp(),
               expires_at = now() + $3 * interval '1 millisecond'
           WHERE family = $1`,
    values: [family, nextHash, ttlMs],
  })
}

/** Ends the family: none of its tokens can be refreshed any more. Call it with the account's lock held. */
export async function deleteFamily(sql: Sql, family: string): Promise<void> {
  await sql.query('DELETE FROM refresh_token WHERE family = $1', [family])
}

/** All families of these devices. */
export async function deleteRefreshTokens(sql: Sql, deviceIds: readonly bigint[]): Promise<void> {
  await sql.query('DELETE FROM refresh_token WHERE device_id = ANY($1::bigint[])', [deviceIds])
}

/** `readFamily` takes none of these. */
export async function deleteExpiredFamilies(sql: Sql): Promise<void> {
  await sql.query('DELETE FROM refresh_token WHERE expires_at <= now()')
}
