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

/** @returns the id of the account; undefined if there is none of this name, or it is disabled */
export async function findEnabledAccount(sql: Sql, userUri: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ id: bigint }>('SELECT id FROM account WHERE user_uri = $1 AND disabled_at IS NULL', [userUri])
  return rows[0]?.id
}

/**
 * Its devices are refused from the next second on; a job of the server then revokes them, with all that belongs to that.
 * @returns false if there is no such enabled account
 */
export async function disableAccount(sql: Sql, userUri: string): Promise<boolean> {
  const { rowCount } = await sql.query('UPDATE account SET disabled_at = now() WHERE user_uri = $1 AND disabled_at IS NULL', [userUri])
  return rowCount === 1
}

/** Disabled accounts whose devices are not revoked yet. */
export async function findUnfinishedDisabling(sql: Sql): Promise<bigint[]> {
  const { rows } = await sql.query<{ id: bigint }>(
    `SELECT account.id FROM account
     WHERE disabled_at IS NOT NULL AND EXISTS (SELECT 1 FROM device WHERE account_id = account.id AND revoked_at IS NULL OFFSET 0)
     LIMIT 1000`,
  )
  return rows.map(({ id }) => id)
}
