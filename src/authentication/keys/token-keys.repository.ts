import type { JWK } from 'jose'
import type { Sql } from '../../platform/postgres/sql.js'

/** Any fixed number: the node that makes or rotates a key holds this advisory lock. */
const KEY_LOCK = 6_245_109

export interface StoredTokenKey {
  readonly kid: string
  readonly publicJwk: JWK
  readonly sealedPrivate: Buffer
  /** Signs new tokens now; the others are still, or already, published. */
  readonly signs: boolean
}

export interface NewTokenKey {
  readonly kid: string
  readonly publicJwk: JWK
  readonly sealedPrivate: Uint8Array
}

/** Waits for every other node that makes or rotates a key, until the transaction ends. */
export async function lockTokenKeys(sql: Sql): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [KEY_LOCK])
}

/**
 * The keys a verifier must know, the signing one first. By the clock and not by now(): a transaction that waited for the lock began
 * before the key that it finds behind it.
 */
export async function readTokenKeys(sql: Sql): Promise<StoredTokenKey[]> {
  const { rows } = await sql.query<{ kid: string; publicJwk: JWK; sealedPrivate: Buffer; signs: boolean }>(
    `SELECT kid, public_jwk AS "publicJwk", sealed_private AS "sealedPrivate",
       signs_from <= clock_timestamp() AND coalesce(signs_until > clock_timestamp(), true) AS signs
     FROM token_signing_key
     WHERE coalesce(published_until > now(), true)
     ORDER BY signs DESC, signs_from DESC`,
  )
  return rows
}

/** With `lockTokenKeys` held. @param signsInMs from now, by PostgreSQL's clock; it is published at once */
export async function insertTokenKey(sql: Sql, key: NewTokenKey, signsInMs: number): Promise<void> {
  await sql.query(
    `INSERT INTO token_signing_key (kid, public_jwk, sealed_private, signs_from)
     VALUES ($1, $2, $3, now() + $4 * interval '1 millisecond')`,
    [key.kid, JSON.stringify(key.publicJwk), key.sealedPrivate, signsInMs],
  )
}

/** All keys stop signing in `signsMs`, and being published `overlapMs` later. */
export async function retireTokenKeys(sql: Sql, signsMs: number, overlapMs: number): Promise<void> {
  await sql.query(
    `UPDATE token_signing_key
     SET signs_until = least(signs_until, now() + $1 * interval '1 millisecond'),
         published_until = least(published_until, now() + ($1 + $2) * interval '1 millisecond')
     WHERE coalesce(published_until > now(), true)`,
    [signsMs, overlapMs],
  )
}

/** A rotation is under way, or the newest key is younger than `ageMs`. */
export async function rotatedWithin(sql: Sql, ageMs: number): Promise<boolean> {
  const { rows } = await sql.query(
    `SELECT 1 FROM token_signing_key WHERE signs_until IS NULL AND signs_from > now() - $1 * interval '1 millisecond'`,
    [ageMs],
  )
  return rows.length > 0
}

/** Keys that are no longer published: no token that they signed is valid any more. */
export async function deleteTokenKeysPast(sql: Sql): Promise<void> {
  await sql.query('DELETE FROM token_signing_key WHERE published_until < now()')
}
