import type { Sql } from '../../platform/postgres/sql.js'

/** Any fixed number: the node that makes or rotates a key holds this advisory lock. */
const KEY_LOCK = 6_245_110

export interface StoredProviderKey {
  keyId: string
  publicKey: Buffer
  sealedPrivate: Buffer
  /** The newest of these signs. */
  signs: boolean
  /** In the directory; otherwise it only signs that. */
  listed: boolean
  signsFrom: Date
  publishedUntil: Date | null
}

/** For how long a key that has gone signs the directory: peers that knew only it learn of the others by that. */
export const VOUCHES_DAYS = 90
/** Of those that have gone. */
const MOST_VOUCHING = 8

/** One node makes or rotates keys at a time; the lock is held until the end of the transaction. */
export async function lockProviderKeys(sql: Sql): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [KEY_LOCK])
}

/** The keys that peers may need, the one that signs first, those that have gone and still vouch last. */
export async function readProviderKeys(sql: Sql): Promise<StoredProviderKey[]> {
  const { rows } = await sql.query<StoredProviderKey>(
    `SELECT * FROM (
       SELECT key_id AS "keyId", public_key AS "publicKey", sealed_private AS "sealedPrivate", signs_from AS "signsFrom",
              signs_from <= clock_timestamp() AND coalesce(signs_until > clock_timestamp(), true) AS signs, published_until AS "publishedUntil",
              coalesce(published_until > clock_timestamp(), true) AS listed,
              row_number() OVER (PARTITION BY coalesce(published_until > clock_timestamp(), true) ORDER BY published_until DESC) AS place
         FROM provider_key WHERE coalesce(published_until > now() - interval '${VOUCHES_DAYS} days', true)
     ) AS k WHERE listed OR place <= ${MOST_VOUCHING}
     ORDER BY listed DESC, signs DESC, "signsFrom" DESC, "keyId"`,
  )
  return rows
}

export interface NewProviderKey {
  keyId: string
  publicKey: Uint8Array
  sealedPrivate: Uint8Array
}

/** Published from now on. @param signsInMs when it begins to sign, in milliseconds from now */
export async function insertProviderKey(sql: Sql, key: NewProviderKey, signsInMs: number): Promise<void> {
  await sql.query(
    `INSERT INTO provider_key (key_id, public_key, sealed_private, signs_from)
     VALUES ($1, $2, $3, now() + $4 * interval '1 millisecond')`,
    [key.keyId, key.publicKey, key.sealedPrivate, signsInMs],
  )
}

/** All keys stop signing in `signsMs`, and being published `overlapMs` after that. */
export async function retireProviderKeys(sql: Sql, signsMs: number, overlapMs: number): Promise<void> {
  await sql.query(
    `UPDATE provider_key
        SET signs_until = least(signs_until, now() + $1 * interval '1 millisecond'),
            published_until = least(published_until, now() + ($1 + $2) * interval '1 millisecond')
      WHERE coalesce(published_until > now(), true)`,
    [signsMs, overlapMs],
  )
}

/** A rotation is under way: there is a key that does not sign yet, but will. */
export async function rotationUnderWay(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query('SELECT 1 FROM provider_key WHERE signs_from > now() AND coalesce(signs_until > signs_from, true)')
  return rows.length > 0
}

/** Removes the keys that do not even vouch any more, with their private halves. */
export async function deleteProviderKeysPast(sql: Sql): Promise<void> {
  await sql.query(`DELETE FROM provider_key WHERE published_until < now() - interval '${VOUCHES_DAYS} days'`)
}
