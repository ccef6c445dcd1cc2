import type { Sql } from '../../platform/postgres/sql.js'
import { HOLDERS, type HolderKind } from '../../protocol/identity/entry.js'

/** What the account's row says of its list. */
export interface ListState {
  readonly identity: Uint8Array
  /** Of the last entry. */
  readonly number: number
  readonly hash: Uint8Array
  readonly head: Uint8Array
  readonly headIssuedAt: Date
  readonly identities: number
}

/** An active device, and the keys that it may sign with now, in canonical form. */
export interface CertifiableDevice {
  readonly deviceId: bigint
  readonly client: string
  readonly keys: readonly { readonly keyId: bigint; readonly scheme: number; readonly publicKey: Uint8Array }[]
}

/** The list of an account, by its id. With the account's lock held it stays as it is until COMMIT. */
export async function readListState(sql: Sql, accountId: bigint): Promise<ListState | undefined> {
  const { rows } = await sql.query<ListState>({
    text: `SELECT identity, number, hash, head, head_issued_at AS "headIssuedAt", identities FROM device_list WHERE account_id = $1`,
    values: [accountId],
  })
  return rows[0]
}

/** The list of a user here. One who is disabled still has it. */
export async function findListOf(sql: Sql, userUri: string): Promise<(ListState & { accountId: bigint }) | undefined> {
  const { rows } = await sql.query<ListState & { accountId: bigint }>({
    text: `SELECT l.account_id AS "accountId", l.identity, l.number, l.hash, l.head, l.head_issued_at AS "headIssuedAt", l.identities
             FROM account a JOIN device_list l ON l.account_id = a.id WHERE a.user_uri = $1 AND a.deleted_at IS NULL`,
    values: [userUri],
  })
  return rows[0]
}

/** Entries in their order, from number `from` to number `to`. */
export async function readEntries(sql: Sql, accountId: bigint, identity: Uint8Array, from: number, to: number): Promise<Uint8Array[]> {
  const { rows } = await sql.query<{ bytes: Uint8Array }>({
    text: `SELECT bytes FROM device_list_entry
            WHERE account_id = $1 AND identity = $2 AND number BETWEEN $3 AND $4 ORDER BY number`,
    values: [accountId, identity, from, to],
  })
  return rows.map(({ bytes }) => bytes)
}

/** Bytes of all entries of one identity. */
export async function bytesOfList(sql: Sql, accountId: bigint, identity: Uint8Array): Promise<number> {
  const { rows } = await sql.query<{ bytes: bigint }>({
    text: `SELECT coalesce(sum(octet_length(bytes)), 0) AS bytes FROM device_list_entry WHERE account_id = $1 AND identity = $2`,
    values: [accountId, identity],
  })
  return Number(rows[0]?.bytes ?? 0)
}

/** Whether a device has a certificate in the account's list. With the account's lock held. */
export async function isCertified(sql: Sql, deviceId: bigint): Promise<boolean> {
  const { rows } = await sql.query({ text: 'SELECT FROM device_certificate WHERE device_id = $1 AND ended IS NULL', values: [deviceId] })
  return rows.length > 0
}

/** With the account's lock held. */
export async function readCertifiable(sql: Sql, accountId: bigint): Promise<CertifiableDevice[]> {
  const { rows } = await sql.query<{ deviceId: bigint; client: string; keyId: bigint | null; scheme: number; publicKey: Uint8Array }>({
    text: `SELECT d.id AS "deviceId", d.client_uri AS client, k.id AS "keyId", k.scheme, k.public_key AS "publicKey"
             FROM device d
             LEFT JOIN signature_key k ON k.device_id = d.id AND k.revoked_at IS NULL AND coalesce(k.valid_until > now(), true)
            WHERE d.account_id = $1 AND d.revoked_at IS NULL ORDER BY d.id, k.id`,
    values: [accountId],
  })
  const devices = new Map<bigint, CertifiableDevice>()
  for (const { deviceId, client, keyId, scheme, publicKey } of rows) {
    const keys = devices.get(deviceId)?.keys ?? []
    devices.set(deviceId, { deviceId, client, keys: keyId === null ? keys : [...keys, { keyId, scheme, publicKey }] })
  }
  return [...devices.values()]
}

export interface WrittenEntry {
  readonly number: number
  readonly bytes: Uint8Array
}

/** @returns false if the account has one of these entries already */
export async function insertEntries(sql: Sql, accountId: bigint, identity: Uint8Array, entries: readonly WrittenEntry[]): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: `INSERT INTO device_list_entry (account_id, identity, number, bytes)
           SELECT $1, $2, x.number, x.bytes FROM unnest($3::int[], $4::bytea[]) AS x (number, bytes) ON CONFLICT DO NOTHING`,
    values: [accountId, identity, entries.map(({ number }) => number), entries.map(({ bytes }) => bytes)],
  })
  return rowCount === entries.length
}

/** The same list with a newer head. */
export async function writeHead(
  sql: Sql,
  accountId: bigint,
  { head, headIssuedAt, headExpiresAt }: { readonly head: Uint8Array; readonly headIssuedAt: Date; readonly headExpiresAt: Date },
): Promise<void> {
  await sql.query({
    text: 'UPDATE device_list SET head = $2, head_issued_at = $3, head_expires_at = $4 WHERE account_id = $1',
    values: [accountId, head, headIssuedAt, headExpiresAt],
  })
}

export interface WrittenCertificate {
  readonly number: number
  /** Number of the entry whose key signed it. */
  readonly signer: number
  readonly kind: HolderKind
  /** undefined: not of a device. */
  readonly deviceId: bigint | undefined
  readonly rights: number
  readonly notBefore: Date
  readonly notAfter: Date
  /** Canonical, of a recovery key or passkey; undefined for devices. */
  readonly holderKey: Uint8Array | undefined
  /** Of a passkey. */
  readonly rpId: string | undefined
}

export async function insertCertificates(
  sql: Sql,
  accountId: bigint,
  identity: Uint8Array,
  certificates: readonly WrittenCertificate[],
): Promise<void> {
  await sql.query({
    text: `INSERT INTO device_certificate (account_id, identity, number, signer, kind, device_id, rights, not_before, not_after, holder_key, rp_id)
           SELECT $1, $2, x.* FROM unnest($3::int[], $4::int[], $5::smallint[], $6::bigint[], $7::smallint[], $8::timestamptz[], $9::timestamptz[],
                                          $10::bytea[], $11::text[])
               AS x (number, signer, kind, device_id, rights, not_before, not_after, holder_key, rp_id)`,
    values: [
      accountId,
      identity,
      certificates.map(({ number }) => number),
      certificates.map(({ signer }) => signer),
      certificates.map(({ kind }) => HOLDERS[kind]),
      certificates.map(({ deviceId }) => deviceId ?? null),
      certificates.map(({ rights }) => rights),
      certificates.map(({ notBefore }) => notBefore),
      certificates.map(({ notAfter }) => notAfter),
      certificates.map(({ holderKey }) => holderKey ?? null),
      certificates.map(({ rpId }) => rpId ?? null),
    ],
  })
}

export interface WrittenEnd {
  /** Of the certificate. */
  readonly number: number
  /** Number and time of the entry that ended it. */
  readonly ended: number
  readonly endedAt: Date
  readonly replaced: boolean
}

/** Marks certificates as ended, each by an entry, and takes them from the keys that they name. */
export async function endCertificates(sql: Sql, accountId: bigint, identity: Uint8Array, ends: readonly WrittenEnd[]): Promise<void> {
  await sql.query({
    text: `UPDATE device_certificate c SET ended = x.ended, ended_at = x.ended_at, replaced = x.replaced
             FROM unnest($3::int[], $4::int[], $5::timestamptz[], $6::boolean[]) AS x (number, ended, ended_at, replaced)
            WHERE c.account_id = $1 AND c.identity = $2 AND c.number = x.number`,
    values: [
      accountId,
      identity,
      ends.map(({ number }) => number),
      ends.map(({ ended }) => ended),
      ends.map(({ endedAt }) => endedAt),
      ends.map(({ replaced }) => replaced),
    ],
  })
  await sql.query({
    text: `UPDATE signature_key k SET certificate = NULL FROM device d
            WHERE d.account_id = $1 AND k.device_id = d.id AND k.certificate = ANY ($2::int[])`,
    values: [accountId, ends.map(({ number }) => number)],
  })
}

/** The account's present identity ends, with all of its certificates; its entries stay as history. */
export async function endIdentity(sql: Sql, accountId: bigint): Promise<void> {
  await sql.query({
    text: 'UPDATE device_certificate SET ended = 0, ended_at = now() WHERE account_id = $1 AND ended IS NULL',
    values: [accountId],
  })
  await sql.query({
    text: `UPDATE signature_key k SET certificate = NULL FROM device d
            WHERE d.account_id = $1 AND k.device_id = d.id AND k.certificate IS NOT NULL`,
    values: [accountId],
  })
}

/** A device's keys: those that its new certificate names, and the others, which end. */
export async function certifyKeys(
  sql: Sql,
  deviceId: bigint,
  number: number,
  { named, left }: { readonly named: readonly bigint[]; readonly left: readonly bigint[] },
): Promise<void> {
  await sql.query({
    text: 'UPDATE signature_key SET certificate = $2 WHERE device_id = $1 AND id = ANY ($3::bigint[])',
    values: [deviceId, number, named],
  })
  await sql.query({
    text: 'UPDATE signature_key SET revoked_at = now(), certificate = NULL WHERE device_id = $1 AND id = ANY ($2::bigint[]) AND revoked_at IS NULL',
    values: [deviceId, left],
  })
}

export interface WrittenState extends ListState {
  readonly headExpiresAt: Date
  /** Canonical; empty once it has ended. */
  readonly identityKey: Uint8Array
}

/** @param state `identities` counts one more where the account had another identity before */
export async function writeListState(sql: Sql, accountId: bigint, state: WrittenState): Promise<void> {
  const { identity, number, hash, head, headIssuedAt, headExpiresAt, identities, identityKey } = state
  await sql.query({
    text: `INSERT INTO device_list (account_id, identity, number, hash, head, head_issued_at, head_expires_at, identities, identity_key)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (account_id) DO UPDATE SET identity = excluded.identity, number = excluded.number, hash = excluded.hash, head = excluded.head,
             head_issued_at = excluded.head_issued_at, head_expires_at = excluded.head_expires_at, identities = excluded.identities,
             identity_key = excluded.identity_key`,
    values: [accountId, identity, number, hash, head, headIssuedAt, headExpiresAt, identities, identityKey],
  })
}
