import type { Sql } from '../../platform/postgres/sql.js'

/** @returns undefined if the name is taken; names of revoked devices stay taken */
export async function insertDevice(sql: Sql, accountId: bigint, clientUri: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ id: bigint }>(
    'INSERT INTO device (account_id, client_uri) VALUES ($1, $2) ON CONFLICT (client_uri) DO NOTHING RETURNING id',
    [accountId, clientUri],
  )
  return rows[0]?.id
}

/**
 * Call it with the account's lock held. Until COMMIT the device counts as the one that acts, which needs no notice of what it does
 * (prisma/functions/triggers.sql, tell_siblings).
 */
export async function actAsDevice(sql: Sql, deviceId: bigint): Promise<boolean> {
  const { rows } = await sql.query(
    "SELECT set_config('microchat.actor', id::text, true) FROM device WHERE id = $1 AND revoked_at IS NULL",
    [deviceId],
  )
  return rows.length > 0
}

/** All other active devices of the accounts of these: their inboxes say what happened to these. */
export async function activeSiblings(sql: Sql, deviceIds: readonly bigint[]): Promise<bigint[]> {
  if (deviceIds.length === 0) return []
  const { rows } = await sql.query<{ id: bigint }>(
    `SELECT id FROM device
     WHERE account_id = ANY (ARRAY(SELECT account_id FROM device WHERE id = ANY ($1::bigint[]))) AND revoked_at IS NULL AND id <> ALL ($1::bigint[])`,
    [deviceIds],
  )
  return rows.map(({ id }) => id)
}

/** What all devices of an account hear, but for the one that acts. */
export interface AccountNotice {
  readonly kind: 'device-list.changed' | 'device-list.pending' | 'device-list.dropped'
  readonly payload: Readonly<Record<string, number>>
}

/** Call it with the account's lock held. @param except a new one, to which its own list is no news @returns devices that have it in their inboxes */
export async function tellDevices(sql: Sql, accountId: bigint, { kind, payload }: AccountNotice, except?: bigint): Promise<bigint[]> {
  const { rows } = await sql.query<{ id: bigint }>({
    text: `INSERT INTO inbox (device_id, kind, payload)
           SELECT d.id, $2, $3::jsonb FROM device d
            WHERE d.account_id = $1 AND d.revoked_at IS NULL AND d.id IS DISTINCT FROM $4::bigint
              AND d.id IS DISTINCT FROM nullif(current_setting('microchat.actor', true), '')::bigint
            ORDER BY d.id
           RETURNING device_id AS id`,
    values: [accountId, kind, JSON.stringify(payload), except ?? null],
  })
  return rows.map(({ id }) => id)
}

/** Call it with the account's lock held. */
export async function countActiveDevices(sql: Sql, accountId: bigint): Promise<number> {
  const { rows } = await sql.query<{ count: bigint }>('SELECT count(*) FROM device WHERE account_id = $1 AND revoked_at IS NULL', [
    accountId,
  ])
  return Number(rows[0]?.count ?? 0)
}

/** @returns a device of this account, active or revoked; undefined if the account has none of this name */
export async function findDevice(sql: Sql, accountId: bigint, clientUri: string): Promise<{ id: bigint; active: boolean } | undefined> {
  const { rows } = await sql.query<{ id: bigint; active: boolean }>(
    'SELECT id, revoked_at IS NULL AS active FROM device WHERE account_id = $1 AND client_uri = $2',
    [accountId, clientUri],
  )
  return rows[0]
}

/** With the account's lock held. @param deviceIds undefined for all of the account. @returns the devices that were active until now */
export async function markRevoked(sql: Sql, accountId: bigint, deviceIds: readonly bigint[] | undefined): Promise<bigint[]> {
  const { rows } = await sql.query<{ id: bigint }>(
    `UPDATE device SET revoked_at = now(), session_generation = session_generation + 1
     WHERE account_id = $1 AND ($2::bigint[] IS NULL OR id = ANY ($2)) AND revoked_at IS NULL RETURNING id`,
    [accountId, deviceIds ?? null],
  )
  const ids = rows.map(({ id }) => id)
  await sql.query('UPDATE signature_key SET revoked_at = now() WHERE device_id = ANY($1::bigint[]) AND revoked_at IS NULL', [ids])
  return ids
}

/** Access tokens issued until now are refused from now on. */
export async function endSessionGeneration(sql: Sql, deviceId: bigint): Promise<void> {
  await sql.query('UPDATE device SET session_generation = session_generation + 1 WHERE id = $1', [deviceId])
}
