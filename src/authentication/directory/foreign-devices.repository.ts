import type { Sql } from '../../platform/postgres/sql.js'

/** A client of another provider, and a key that it is to hold; none: that it exists is enough. */
export interface ForeignClaim {
  readonly client: string
  readonly publicKey?: Uint8Array
}

/** Those of the claims that the directory here does not confirm, or of whose user it has not heard for a while. Keys in canonical form. */
export async function unconfirmedAmong(sql: Sql, claims: readonly ForeignClaim[], maxAgeMs: number): Promise<ForeignClaim[]> {
  const { rows } = await sql.query<{ ord: bigint }>({
    name: 'confirmed_foreign',
    text: `SELECT x.ord FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS x (client, public_key, ord)
             JOIN device d ON d.client_uri = x.client JOIN foreign_user f ON f.account_id = d.account_id
            WHERE f.fetched_at > now() - $3 * interval '1 millisecond'
              AND (x.public_key IS NULL OR EXISTS (
                SELECT FROM foreign_signature_key k WHERE k.device_id = d.id AND k.public_key = x.public_key))`,
    values: [claims.map(({ client }) => client), claims.map(({ publicKey }) => publicKey ?? null), maxAgeMs],
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
 * Writes down what a provider says of one of its users. Devices never go, as little as they do at home. Call it in a transaction.
 * @returns devices that are revoked now and were not before
 */
export async function recordForeignUser(sql: Sql, user: string, devices: readonly ForeignDevice[]): Promise<bigint[]> {
  const accountId = await recordAccount(sql, user)
  const revoked: bigint[] = []
  for (const device of devices) {
    const { rows } = await sql.query<{ id: bigint; revoked: boolean }>({
      text: `INSERT INTO device AS d (account_id, client_uri, revoked_at) VALUES ($1, $2, $3)
             ON CONFLICT (client_uri) DO UPDATE SET revoked_at = coalesce(d.revoked_at, excluded.revoked_at) WHERE d.account_id = $1
             RETURNING d.id, d.revoked_at IS NOT NULL AS revoked`,
      values: [accountId, device.client, device.revokedAt],
    })
    const row = rows[0]
    if (!row) continue
    if (row.revoked) revoked.push(row.id)
    await recordKeys(sql, row.id, device.keys)
  }
  return revoked
}

async function recordAccount(sql: Sql, user: string): Promise<bigint> {
  const { rows } = await sql.query<{ id: bigint }>({
    text: `WITH made AS (INSERT INTO account (user_uri) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id), one AS (
             SELECT id FROM made UNION ALL SELECT id FROM account WHERE user_uri = $1 LIMIT 1
           ), noted AS (
             INSERT INTO foreign_user (account_id, fetched_at) SELECT id, now() FROM one
             ON CONFLICT (account_id) DO UPDATE SET fetched_at = now()
           )
           SELECT id FROM one`,
    values: [user],
  })
  const id = rows[0]?.id
  if (id === undefined) throw new Error('an account was made at the same time; the next try finds it')
  return id
}

async function recordKeys(sql: Sql, deviceId: bigint, keys: ForeignDevice['keys']): Promise<void> {
  await sql.query({ text: 'DELETE FROM foreign_signature_key WHERE device_id = $1', values: [deviceId] })
  await sql.query({
    text: `INSERT INTO foreign_signature_key (device_id, public_key, valid_from, valid_until)
           SELECT $1, * FROM unnest($2::bytea[], $3::timestamptz[], $4::timestamptz[]) ON CONFLICT DO NOTHING`,
    values: [
      deviceId,
      keys.map(({ publicKey }) => publicKey),
      keys.map(({ validFrom }) => validFrom),
      keys.map(({ validUntil }) => validUntil),
    ],
  })
}
