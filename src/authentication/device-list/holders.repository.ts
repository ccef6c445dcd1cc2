import type { Sql } from '../../platform/postgres/sql.js'

/** A list, with a key in it that is of no device and valid now. */
export interface ListHolder {
  readonly accountId: bigint
  /** Of the entry with the key; 1: the identity key. */
  readonly number: number
  /** Canonical. null: written by the release before. */
  readonly publicKey: Uint8Array | null
  /** null: no passkey. */
  readonly rpId: string | null
  /** Number and hash of the last entry. */
  readonly last: number
  readonly hash: Uint8Array
}

/** Recovery keys, passkeys and the identity key of a user here: at most as many as certificates can be active. None of a disabled account. */
export async function findListHolders(sql: Sql, userUri: string): Promise<ListHolder[]> {
  const { rows } = await sql.query<ListHolder>({
    name: 'find_list_holders',
    text: `SELECT a.id AS "accountId", h.number, h.key AS "publicKey", h.rp_id AS "rpId", l.number AS last, l.hash
             FROM account a JOIN device_list l ON l.account_id = a.id
             CROSS JOIN LATERAL (
               SELECT 1 AS number, l.identity_key AS key, NULL AS rp_id WHERE l.identity_key IS DISTINCT FROM ''
               UNION ALL
               SELECT c.number, c.holder_key, c.rp_id FROM device_certificate c
                WHERE c.account_id = a.id AND c.identity = l.identity AND c.kind <> 1 AND c.ended IS NULL
                  AND now() BETWEEN c.not_before AND c.not_after
             ) h
            WHERE a.user_uri = $1 AND a.disabled_at IS NULL`,
    values: [userUri],
  })
  return rows
}
