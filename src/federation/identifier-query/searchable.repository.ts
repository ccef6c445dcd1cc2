import type { Sql } from '../../platform/postgres/sql.js'

/** Whether there is such a user, who may be found. @param seeker who looks, where that is known: nobody finds who has blocked them */
export async function canBeFound(sql: Sql, userUri: string, seeker: string | undefined): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'can_be_found',
    text: `SELECT FROM account a WHERE a.user_uri = $1 AND a.disabled_at IS NULL
              AND NOT EXISTS (SELECT FROM unsearchable_account u WHERE u.account_id = a.id)
              AND NOT EXISTS (SELECT FROM user_block b WHERE b.blocker = a.user_uri AND b.blocked = $2)`,
    values: [userUri, seeker ?? ''],
  })
  return rows.length > 0
}

/** The choice of a user; being found is the default. */
export async function isSearchable(sql: Sql, accountId: bigint): Promise<boolean> {
  const { rows } = await sql.query({ text: 'SELECT FROM unsearchable_account WHERE account_id = $1', values: [accountId] })
  return rows.length === 0
}

/** Idempotent: only users who do not want to be found have a row. */
export async function setSearchable(sql: Sql, accountId: bigint, searchable: boolean): Promise<void> {
  const text = searchable
    ? 'DELETE FROM unsearchable_account WHERE account_id = $1'
    : 'INSERT INTO unsearchable_account (account_id) VALUES ($1) ON CONFLICT DO NOTHING'
  await sql.query({ text, values: [accountId] })
}
