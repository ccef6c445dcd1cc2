import type { Sql } from '../../platform/postgres/sql.js'

export interface NewInvite {
  readonly codeHash: Uint8Array
  /** The only account that the invite is for; any new one if undefined. */
  readonly accountId: bigint | undefined
  readonly uses: number
  readonly lifetimeMs: number
}

/** @returns when it ends, by the clock of PostgreSQL */
export async function insertInvite(sql: Sql, invite: NewInvite): Promise<Date> {
  const { rows } = await sql.query<{ expiresAt: Date }>(
    `INSERT INTO invite (code_hash, account_id, uses_left, expires_at)
     VALUES ($1, $2, $3, now() + $4 * interval '1 millisecond')
     RETURNING expires_at AS "expiresAt"`,
    [invite.codeHash, invite.accountId ?? null, invite.uses, invite.lifetimeMs],
  )
  const [row] = rows
  if (row === undefined) throw new Error('INSERT … RETURNING gave no row')
  return row.expiresAt
}

/** Takes one use, given back if the transaction rolls back. Its row lock makes the last use go to one of many. */
export async function useInvite(sql: Sql, codeHash: Uint8Array): Promise<{ accountId: bigint | null } | undefined> {
  const { rows } = await sql.query<{ accountId: bigint | null }>(
    `UPDATE invite SET uses_left = uses_left - 1
     WHERE code_hash = $1 AND uses_left > 0 AND expires_at > now()
     RETURNING account_id AS "accountId"`,
    [codeHash],
  )
  return rows[0]
}

/**
 * Whether this account has this user URI and may take its first device. Locks it, so that it cannot be disabled before the
 * end of the transaction.
 */
export async function lockInvitedAccount(sql: Sql, accountId: bigint, userUri: string): Promise<boolean> {
  const { rows } = await sql.query('SELECT 1 FROM account WHERE id = $1 AND user_uri = $2 AND disabled_at IS NULL FOR NO KEY UPDATE', [
    accountId,
    userUri,
  ])
  return rows.length > 0
}

/** Those that are over or have no use left; `useInvite` takes neither. */
export async function deleteSpentInvites(sql: Sql): Promise<void> {
  await sql.query('DELETE FROM invite WHERE expires_at <= now() OR uses_left = 0')
}
