import { callFunction, type Sql } from '../../platform/postgres/sql.js'
import { RIGHTS } from '../../protocol/identity/entry.js'

/** What a deletion has ended. */
export interface Deleted {
  /** All that the account has, or had. */
  devices: bigint[]
  /** Providers that are asked to erase the user as well. */
  peers: string[]
}

/**
 * Ends all that an account can do: see `delete_account`.
 * @param deletion `domain`: ours; `erasureId`: 32 random bytes, or null for a user of another provider, which has asked for it
 * @returns undefined if it was deleted before
 */
export async function deleteAccount(
  sql: Sql,
  { domain, accountId, erasureId }: { domain: string; accountId: bigint; erasureId: Uint8Array | null },
): Promise<Deleted | undefined> {
  const { call, values } = callFunction('delete_account', { p_domain: domain, p_account: accountId, p_erasure: erasureId })
  const { rows } = await sql.query<Deleted>({ name: 'delete_account', text: `SELECT devices, peers FROM ${call}`, values })
  return rows[0]
}

/**
 * Whether a device may end the account alone: where the user has a device list, the oldest of those that have the right to revoke others. A younger one,
 * which may be a thief's, has to revoke them first. A device is as old as its first certificate. Call it with the account's lock held.
 */
export async function mayEndAccount(sql: Sql, { userId, deviceId }: { userId: bigint; deviceId: bigint }): Promise<boolean> {
  const { rows } = await sql.query<{ may: boolean }>({
    name: 'may_end_account',
    text: `SELECT NOT EXISTS (SELECT FROM device_list l WHERE l.account_id = $1)
               OR coalesce((SELECT c.device_id = $2 FROM device_certificate c
                             WHERE c.account_id = $1 AND c.ended IS NULL AND c.device_id IS NOT NULL AND c.rights & $3::int <> 0 AND (c.not_after > now() OR c.device_id = $2)
                             ORDER BY (SELECT min(f.number) FROM device_certificate f WHERE f.device_id = c.device_id AND f.identity = c.identity)
                             LIMIT 1), false) AS may`,
    values: [userId, deviceId, RIGHTS.revoke],
  })
  return rows[0]?.may === true
}

/** An account that was erased, by what stands for its name. */
export interface ErasedName {
  accountId: bigint
  /** Until then nobody else gets the name. */
  quarantinedUntil: Date
  /** Providers that know the user and have not confirmed its erasure. */
  unconfirmed: bigint
}

/** @param standIn see `ErasedNames` */
export async function findErasedName(sql: Sql, standIn: string, quarantineMs: number): Promise<ErasedName | undefined> {
  const { rows } = await sql.query<ErasedName>({
    name: 'find_erased_name',
    text: `SELECT a.id AS "accountId", a.deleted_at + $2 * interval '1 millisecond' AS "quarantinedUntil",
                  (SELECT count(*) FROM peer_erasure e WHERE e.account_id = a.id AND e.receipt IS NULL) AS unconfirmed
             FROM (SELECT * FROM account WHERE user_uri = $1 OFFSET 0) a WHERE a.erased_at IS NOT NULL`,
    values: [standIn, quarantineMs],
  })
  return rows[0]
}

/** What stays of an erased name goes over to who has it now: see `inherit_name`. */
export async function inheritName(sql: Sql, erased: bigint, heir: bigint): Promise<void> {
  const { call, values } = callFunction('inherit_name', { p_erased: erased, p_heir: heir })
  await sql.query({ name: 'inherit_name', text: `SELECT ${call}`, values })
}

/** An operator gives a name free before its time. */
export async function endQuarantine(sql: Sql, accountId: bigint): Promise<void> {
  await sql.query({
    text: `WITH forgotten AS (DELETE FROM peer_erasure WHERE account_id = $1 AND receipt IS NULL)
           UPDATE account SET deleted_at = '1970-01-01' WHERE id = $1`,
    values: [accountId],
  })
}
