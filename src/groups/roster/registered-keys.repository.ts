import type { Sql } from '../../platform/postgres/sql.js'
import { canonicalKey } from '../../protocol/signature-key.js'

export interface ClaimedKey {
  deviceId: bigint
  publicKey: Uint8Array
}

/**
 * Those of the claims that do not hold: the key is not, or no longer, a registered one of that device. One query for a whole Commit.
 * "OFFSET 0" makes each key one look-up: PostgreSQL would read all foreign keys into a hash table.
 */
export async function unregisteredAmong(sql: Sql, claims: readonly ClaimedKey[]): Promise<ClaimedKey[]> {
  if (claims.length === 0) return []
  const canonical = claims.map(({ publicKey }) => Buffer.from(canonicalKey(publicKey)?.publicKey ?? []))
  const { rows } = await sql.query<{ ord: bigint }>({
    name: 'registered_among',
    text: `SELECT x.ord FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS x (device_id, public_key, ord)
             JOIN device d ON d.id = x.device_id JOIN account a ON a.id = d.account_id
            WHERE d.revoked_at IS NULL AND a.disabled_at IS NULL
              AND (EXISTS (
                SELECT FROM signature_key k WHERE k.public_key = x.public_key AND k.device_id = x.device_id
                   AND k.revoked_at IS NULL AND k.valid_from <= now() AND coalesce(k.valid_until > now(), true) OFFSET 0
              ) OR EXISTS (
                SELECT FROM foreign_signature_key k WHERE k.device_id = x.device_id AND k.public_key = x.public_key
                   AND k.valid_from <= now() AND coalesce(k.valid_until > now(), true) OFFSET 0
              ))`,
    values: [claims.map(({ deviceId }) => deviceId), canonical],
  })
  const registered = new Set(rows.map(({ ord }) => Number(ord) - 1))
  return claims.filter((_, index) => !registered.has(index))
}
