import type { Sql } from '../../platform/postgres/sql.js'

/** Any fixed number: the node that makes or rotates an authority holds this advisory lock. */
const AUTHORITY_LOCK = 6_245_111

/** An authority that somebody may still need. */
export interface StoredAuthority {
  /** SHA-256 of the certificate that issues. */
  readonly fingerprint: Buffer
  /** The one that is published, DER. */
  readonly certificate: Buffer
  /** Null: the operator's own, whose key is not in the database. */
  readonly sealedPrivate: Buffer | null
  /** Issues now. */
  readonly signs: boolean
  readonly signsFrom: Date
  readonly issuedUntil: Date | null
}

/** Waits for every other node that makes or rotates an authority, until the transaction ends. */
export async function lockAuthorities(sql: Sql): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [AUTHORITY_LOCK])
}

/** Those that issue, will issue, or have issued what is not over: the issuing one first, then the newest. By the clock, as `readTokenKeys`. */
export async function readAuthorities(sql: Sql): Promise<StoredAuthority[]> {
  const { rows } = await sql.query<StoredAuthority>({
    name: 'read_x509_authorities',
    text: `SELECT fingerprint, certificate, sealed_private AS "sealedPrivate", signs_from AS "signsFrom", issued_until AS "issuedUntil",
                  signs_from <= clock_timestamp() AND coalesce(signs_until > clock_timestamp(), true) AS signs
             FROM x509_authority WHERE coalesce(signs_until > clock_timestamp(), true) OR issued_until > clock_timestamp()
            ORDER BY signs DESC, signs_from DESC`,
  })
  return rows
}

export interface NewStoredAuthority {
  fingerprint: Uint8Array
  certificate: Uint8Array
  sealedPrivate: Uint8Array
}

/** With `lockAuthorities` held. @param signsInMs from now; it is published at once */
export async function insertAuthority(sql: Sql, authority: NewStoredAuthority, signsInMs: number): Promise<void> {
  await sql.query(
    `INSERT INTO x509_authority (fingerprint, certificate, sealed_private, signs_from)
     VALUES ($1, $2, $3, now() + $4 * interval '1 millisecond')`,
    [authority.fingerprint, authority.certificate, authority.sealedPrivate, signsInMs],
  )
}

/** The authorities of the server's own stop issuing in `inMs`. */
export async function retireAuthorities(sql: Sql, inMs: number): Promise<void> {
  await sql.query(
    `UPDATE x509_authority SET signs_until = least(signs_until, now() + $1 * interval '1 millisecond') WHERE sealed_private IS NOT NULL`,
    [inMs],
  )
}

/** After a compromise: nothing that was issued so far is good any more. */
export async function deleteAuthorities(sql: Sql): Promise<void> {
  await sql.query('DELETE FROM x509_authority WHERE sealed_private IS NOT NULL')
}

/** After a theft from the operator: nothing is good any more that does not lead to this one. */
export async function deleteAuthoritiesBut(sql: Sql, published: Uint8Array): Promise<void> {
  await sql.query('DELETE FROM x509_authority WHERE certificate <> $1', [published])
}

/** Removes those that nobody needs any more, with their private keys. */
export async function deleteAuthoritiesPast(sql: Sql): Promise<void> {
  await sql.query('DELETE FROM x509_authority WHERE signs_until < now() AND coalesce(issued_until < now(), true)')
}

/**
 * Keeps the authority published until what it is about to issue is over.
 * @returns false if it may not issue (any more)
 */
export async function noteIssued(sql: Sql, fingerprint: Uint8Array, until: Date): Promise<boolean> {
  const { rowCount } = await sql.query({
    name: 'note_x509_issued',
    text: `UPDATE x509_authority SET issued_until = greatest(issued_until, $2)
            WHERE fingerprint = $1 AND (sealed_private IS NULL OR coalesce(signs_until > clock_timestamp(), true))`,
    values: [fingerprint, until],
  })
  return rowCount === 1
}

/** The operator's authority, which issues as long as the settings name it. @param until what it issues is over then */
export async function noteOperatorIssued(sql: Sql, fingerprint: Uint8Array, certificate: Uint8Array, until: Date): Promise<void> {
  await sql.query({
    name: 'note_operator_issued',
    text: `INSERT INTO x509_authority AS a (fingerprint, certificate, signs_from, signs_until, issued_until) VALUES ($1, $2, now(), now(), $3)
           ON CONFLICT (fingerprint) DO UPDATE SET issued_until = greatest(a.issued_until, excluded.issued_until)`,
    values: [fingerprint, certificate, until],
  })
}

/** What the directory says of a key: whether the device may have a certificate for it. */
export interface IssuableKey {
  readonly client: string
  /** The account has a device list. */
  readonly listed: boolean
  /** When the device certificate that names the key ends, by what it says itself; null: there is none that is valid now. */
  readonly certifiedUntil: Date | null
}

/** @param publicKey in canonical form @returns undefined: it is no active key of the device, or the device is revoked */
export async function issuableKey(sql: Sql, deviceId: bigint, publicKey: Uint8Array): Promise<IssuableKey | undefined> {
  const { rows } = await sql.query<IssuableKey>({
    name: 'issuable_key',
    text: `SELECT d.client_uri AS client, l.account_id IS NOT NULL AS listed, c.not_after AS "certifiedUntil"
             FROM signature_key k JOIN device d ON d.id = k.device_id JOIN account a ON a.id = d.account_id
             LEFT JOIN device_list l ON l.account_id = a.id
             LEFT JOIN device_certificate c ON c.account_id = l.account_id AND c.identity = l.identity AND c.number = k.certificate
              AND c.device_id = d.id AND c.ended IS NULL AND c.not_before <= now() AND c.not_after >= now()
            WHERE k.public_key = $2 AND k.device_id = $1 AND k.revoked_at IS NULL AND k.valid_from <= now() AND coalesce(k.valid_until > now(), true)
              AND d.revoked_at IS NULL AND a.disabled_at IS NULL`,
    values: [deviceId, publicKey],
  })
  return rows[0]
}
