import type { Sql } from '../../platform/postgres/sql.js'
import type { PeerKeyRow, PeerRow } from './peers.repository.js'

/** How many keys that have gone are remembered of one provider, the newest: it chooses how often it changes them. */
const MAX_PAST = 64

export interface PeerDirectoryContent {
  domain: string
  endpoints: Record<string, string>
  profiles: readonly string[]
  features: readonly string[]
  authorities: readonly Uint8Array[]
  issuedAt: Date
  expiresAt: Date
  /** SHA-256 of the JWS payload, as it is encoded. */
  payloadHash: Uint8Array
  keys: readonly { keyId: string; publicKey: Uint8Array; notBefore: Date; notAfter: Date | null }[]
  /** What the operator should look at all the same. */
  alarm: string | null
}

/** Locks the row of a provider, which it makes if there is none, until the end of the transaction. */
export async function lockPeer(sql: Sql, domain: string): Promise<Pick<PeerRow, 'issuedAt'> & { payloadHash: Buffer | null }> {
  await sql.query({ text: 'INSERT INTO peer (domain) VALUES ($1) ON CONFLICT (domain) DO NOTHING', values: [domain] })
  const { rows } = await sql.query<{ issuedAt: Date | null; payloadHash: Buffer | null }>({
    text: 'SELECT issued_at AS "issuedAt", payload_hash AS "payloadHash" FROM peer WHERE domain = $1 FOR NO KEY UPDATE',
    values: [domain],
  })
  return rows[0] ?? { issuedAt: null, payloadHash: null }
}

/** Keys that were in a provider's directories and are not any more. */
export async function findPastKeys(sql: Sql, domain: string): Promise<Pick<PeerKeyRow, 'keyId' | 'publicKey'>[]> {
  const { rows } = await sql.query<Pick<PeerKeyRow, 'keyId' | 'publicKey'>>({
    text: 'SELECT key_id AS "keyId", public_key AS "publicKey" FROM peer_past_key WHERE domain = $1',
    values: [domain],
  })
  return rows
}

/** Replaces a provider's directory and pins by a trusted newer one, with the row locked by `lockPeer`; the keys that are gone are remembered. */
export async function storeDirectory(sql: Sql, content: PeerDirectoryContent): Promise<void> {
  const { domain, keys } = content
  await sql.query({
    text: `UPDATE peer SET endpoints = $2, profiles = $3, features = $4, x509_authorities = $5, issued_at = $6, expires_at = $7, payload_hash = $8,
             alarm = $9, fetched_at = now(), directory_failing_since = NULL, directory_error = NULL
           WHERE domain = $1`,
    values: [
      domain,
      JSON.stringify(content.endpoints),
      content.profiles,
      content.features,
      content.authorities,
      content.issuedAt,
      content.expiresAt,
      content.payloadHash,
      content.alarm,
    ],
  })
  await replaceKeys(sql, domain, keys)
}

/** A key that goes is remembered, and so is its id. */
async function replaceKeys(sql: Sql, domain: string, keys: PeerDirectoryContent['keys']): Promise<void> {
  const keyIds = keys.map(({ keyId }) => keyId)
  await sql.query({
    text: `WITH gone AS (DELETE FROM peer_key WHERE domain = $1 AND key_id <> ALL ($2::text[]) RETURNING key_id, public_key)
           INSERT INTO peer_past_key (domain, key_id, public_key, gone_at) SELECT $1, key_id, public_key, now() FROM gone
           ON CONFLICT (domain, key_id) DO NOTHING`,
    values: [domain, keyIds],
  })
  await sql.query({
    text: `DELETE FROM peer_past_key WHERE domain = $1 AND key_id IN
             (SELECT key_id FROM peer_past_key WHERE domain = $1 ORDER BY gone_at DESC, key_id OFFSET ${MAX_PAST})`,
    values: [domain],
  })
  await sql.query({
    text: `INSERT INTO peer_key (domain, key_id, public_key, not_before, not_after)
           SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::timestamptz[], $5::timestamptz[])
           ON CONFLICT (domain, key_id) DO UPDATE SET not_before = excluded.not_before, not_after = excluded.not_after`,
    values: [
      domain,
      keyIds,
      keys.map(({ publicKey }) => publicKey),
      keys.map(({ notBefore }) => notBefore),
      keys.map(({ notAfter }) => notAfter),
    ],
  })
}

/**
 * A directory was fetched and is not trusted; the stored one, if there is one, stays in force, and the operator sees why. Of a provider
 * that was never met nothing is fetched by this: it is looked at again.
 */
export async function raiseAlarm(sql: Sql, domain: string, why: string): Promise<void> {
  await sql.query({
    text: `UPDATE peer SET alarm = $2, directory_failing_since = NULL, directory_error = NULL,
             fetched_at = CASE WHEN endpoints IS NULL THEN NULL ELSE now() END
           WHERE domain = $1`,
    values: [domain, why],
  })
}

/** The directory of a provider that is known could not be fetched or read. @param why cut to 200 characters */
export async function noteDirectoryFailure(sql: Sql, domain: string, why: string): Promise<void> {
  await sql.query({
    text: `UPDATE peer SET directory_failing_since = coalesce(directory_failing_since, now()), directory_error = $2
           WHERE domain = $1 AND endpoints IS NOT NULL`,
    values: [domain, why.slice(0, 200)],
  })
}

/** Deletes the pins, and what is remembered of older keys: the next directory that the provider's web server shows is trusted. Call it in a transaction. */
export async function forgetKeys(sql: Sql, domain: string): Promise<void> {
  // Who judges a directory meanwhile would write down pins that this does not see.
  await lockPeer(sql, domain)
  await sql.query({ text: 'DELETE FROM peer_key WHERE domain = $1', values: [domain] })
  await sql.query({ text: 'DELETE FROM peer_past_key WHERE domain = $1', values: [domain] })
  await sql.query({ text: 'DELETE FROM token_issuer WHERE issuer = $1', values: [domain] })
  await sql.query({
    text: `UPDATE peer SET issued_at = NULL, fetched_at = NULL, endpoints = NULL, profiles = NULL, features = NULL, x509_authorities = '{}', alarm = NULL,
             expires_at = NULL, payload_hash = NULL, directory_failing_since = NULL, directory_error = NULL
           WHERE domain = $1`,
    values: [domain],
  })
}
