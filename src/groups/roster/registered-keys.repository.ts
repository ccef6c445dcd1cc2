import type { Sql } from '../../platform/postgres/sql.js'
import { canonicalKey } from '../../protocol/signature-key.js'

export interface ClaimedKey {
  deviceId: bigint
  publicKey: Uint8Array
}

/** Those of the claims that do not hold: the key is not, or no longer, a registered one of that device. One query for a whole Commit. */
export async function unregisteredAmong(sql: Sql, claims: readonly ClaimedKey[]): Promise<ClaimedKey[]> {
  if (claims.length === 0) return []
  const canonical = claims.map(({ publicKey }) => Buffer.from(canonicalKey(publicKey)?.publicKey ?? []))
  const { rows } = await sql.query<{ ord: bigint }>({
    name: 'registered_among',
    text: `SELECT x.ord FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS x (device_id, public_key, ord)
             JOIN signature_key k ON k.public_key = x.public_key AND k.device_id = x.device_id
             JOIN device d ON d.id = k.device_id JOIN account a ON a.id = d.account_id
            WHERE k.revoked_at IS NULL AND k.valid_from <= now() AND coalesce(k.valid_until > now(), true)
              AND d.revoked_at IS NULL AND a.disabled_at IS NULL`,
    values: [claims.map(({ deviceId }) => deviceId), canonical],
  })
  const registered = new Set(rows.map(({ ord }) => Number(ord) - 1))
  return claims.filter((_, index) => !registered.has(index))
}
