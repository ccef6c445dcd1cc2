import type { ErasedNames } from '../accounts/erased-names.js'
import type { Sql } from '../../platform/postgres/sql.js'

/** A client of another provider, and a key that it is to hold; none: any will do. */
export interface ForeignClaim {
  readonly client: string
  readonly publicKey?: Uint8Array
  /** What its leaf says of the user's device list. */
  readonly list?: { readonly identity: Uint8Array; readonly number: number } | undefined
}

/**
 * Those of the claims that the directory here does not confirm, or of whose user it has not heard for a while, or whose list is another than the kept
 * one, or longer. Keys in canonical form.
 */
export async function unconfirmedAmong(sql: Sql, claims: readonly ForeignClaim[], maxAgeMs: number): Promise<ForeignClaim[]> {
  const { rows } = await sql.query<{ ord: bigint }>({
    name: 'confirmed_foreign',
    text: `SELECT x.ord FROM unnest($1::text[], $2::bytea[], $4::bytea[], $5::int[]) WITH ORDINALITY AS x (client, public_key, identity, number, ord)
             JOIN device d ON d.client_uri = x.client JOIN foreign_user f ON f.account_id = d.account_id
            WHERE f.fetched_at > now() - $3 * interval '1 millisecond'
              AND EXISTS (
                SELECT FROM foreign_signature_key k WHERE k.device_id = d.id AND k.public_key = coalesce(x.public_key, k.public_key))
              AND (x.identity IS NULL OR EXISTS (
                SELECT FROM foreign_device_list l
                 WHERE l.account_id = d.account_id AND l.identity = x.identity AND l.number >= x.number AND cardinality(l.ends) = l.number OFFSET 0))`,
    values: [
      claims.map(({ client }) => client),
      claims.map(({ publicKey }) => publicKey ?? null),
      maxAgeMs,
      claims.map(({ list }) => list?.identity ?? null),
      claims.map(({ list }) => list?.number ?? null),
    ],
  })
  const confirmed = new Set(rows.map(({ ord }) => Number(ord) - 1))
  return claims.filter((_, index) => !confirmed.has(index))
}

export interface ForeignDevice {
  readonly client: string
  readonly revokedAt: Date | null
  readonly keys: readonly { readonly publicKey: Uint8Array; readonly validFrom: Date; readonly validUntil: Date | null }[]
}

/**
 * Writes down what a provider says of one of its users. Devices never go, as little as they do at home; one that it leaves out has no
 * key any more that a leaf could be signed with, until the provider names it again. Call it in a transaction. Of a user that the provider has had
 * erased, nothing is written down before that is done: who has the name then is somebody else.
 * @returns devices that are revoked
 */
export async function recordForeignUser(sql: Sql, user: string, devices: readonly ForeignDevice[], names: ErasedNames): Promise<bigint[]> {
  const accountId = await recordAccount(sql, user, names)
  if (accountId === undefined) return []
  const { rows } = await sql.query<{ id: bigint; client: string; revoked: boolean }>({
    text: `INSERT INTO device AS d (account_id, client_uri, revoked_at)
           SELECT DISTINCT ON (x.client) $1::bigint, x.client, x.revoked_at FROM unnest($2::text[], $3::timestamptz[]) AS x (client, revoked_at) ORDER BY x.client
           ON CONFLICT (client_uri) DO UPDATE SET revoked_at = coalesce(d.revoked_at, excluded.revoked_at) WHERE d.account_id = $1
           RETURNING d.id, d.client_uri AS client, d.revoked_at IS NOT NULL AS revoked`,
    values: [accountId, devices.map(({ client }) => client), devices.map(({ revokedAt }) => revokedAt)],
  })
  const ids = new Map(rows.map(({ id, client }) => [client, id]))
  const keys = devices.flatMap(({ client, keys: ofDevice }) => {
    const deviceId = ids.get(client)
    return deviceId === undefined ? [] : ofDevice.map((key) => ({ ...key, deviceId }))
  })
  await recordKeys(sql, accountId, keys)
  return rows.flatMap(({ id, revoked }) => (revoked ? [id] : []))
}

/** In several statements, so that the later ones see what another transaction has committed; runs for one user follow each other. */
async function recordAccount(sql: Sql, user: string, names: ErasedNames): Promise<bigint | undefined> {
  await sql.query({ text: 'INSERT INTO account (user_uri) VALUES ($1) ON CONFLICT DO NOTHING', values: [user] })
  const { rows } = await sql.query<{ id: bigint }>({
    text: `INSERT INTO foreign_user (account_id, fetched_at) SELECT id, now() FROM account WHERE user_uri = $1 AND deleted_at IS NULL
           ON CONFLICT (account_id) DO UPDATE SET fetched_at = now() RETURNING account_id AS id`,
    values: [user],
  })
  const id = rows[0]?.id
  // A list of its devices may have been written down before (foreign_device_list), so the row need not be new.
  if (id !== undefined) await names.claimElsewhere(sql, id, user)
  return id
}

type KeyOfDevice = ForeignDevice['keys'][number] & { readonly deviceId: bigint }

async function recordKeys(sql: Sql, accountId: bigint, keys: readonly KeyOfDevice[]): Promise<void> {
  await sql.query({
    text: 'DELETE FROM foreign_signature_key WHERE device_id = ANY (ARRAY(SELECT id FROM device WHERE account_id = $1))',
    values: [accountId],
  })
  await sql.query({
    text: `INSERT INTO foreign_signature_key (device_id, public_key, valid_from, valid_until)
           SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::timestamptz[], $4::timestamptz[]) ON CONFLICT DO NOTHING`,
    values: [
      keys.map(({ deviceId }) => deviceId),
      keys.map(({ publicKey }) => publicKey),
      keys.map(({ validFrom }) => validFrom),
      keys.map(({ validUntil }) => validUntil),
    ],
  })
}
