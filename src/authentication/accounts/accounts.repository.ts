import type { Sql } from '../../platform/postgres/sql.js'

/**
 * Whatever changes an account's devices, keys or sessions holds this lock, so that nothing is added behind a revocation.
 * Lock order: challenge, invite, account; the rest needs no order then.
 * @returns false if the account is disabled
 */
export async function lockAccount(sql: Sql, accountId: bigint): Promise<boolean> {
  const { rows } = await sql.query<{ enabled: boolean }>({
    name: 'lock_account',
    text: 'SELECT disabled_at IS NULL AS enabled FROM account WHERE id = $1 FOR NO KEY UPDATE',
    values: [accountId],
  })
  return rows[0]?.enabled ?? false
}

/** @returns undefined if the name is taken, also by a registration that commits only now */
export async function insertAccount(sql: Sql, userUri: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ id: bigint }>(
    'INSERT INTO account (user_uri) VALUES ($1) ON CONFLICT (user_uri) DO NOTHING RETURNING id',
    [userUri],
  )
  return rows[0]?.id
}

/** @returns the devices that could act until now, or undefined if there is no such enabled account */
export async function disableAccount(sql: Sql, userUri: string): Promise<bigint[] | undefined> {
  const { rows: accounts } = await sql.query<{ id: bigint }>(
    'UPDATE account SET disabled_at = now() WHERE user_uri = $1 AND disabled_at IS NULL RETURNING id',
    [userUri],
  )
  const [account] = accounts
  if (account === undefined) return undefined
  const { rows } = await sql.query<{ id: bigint }>('SELECT id FROM device WHERE account_id = $1 AND revoked_at IS NULL', [account.id])
  return rows.map(({ id }) => id)
}
