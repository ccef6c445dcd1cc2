import type { Sql } from '../../platform/postgres/sql.js'

/** An account as its operator sees it. */
export interface ListedAccount {
  id: bigint
  user: string
  createdAt: Date
  disabledAt: Date | null
  deletedAt: Date | null
  activeDevices: bigint
}

const LISTED = `a.id, a.user_uri AS "user", a.created_at AS "createdAt", a.disabled_at AS "disabledAt", a.deleted_at AS "deletedAt",
  (SELECT count(*) FROM device d WHERE d.account_id = a.id AND d.revoked_at IS NULL) AS "activeDevices"`

/**
 * Accounts of this provider by name, after `after`.
 * @param prefix that all of its user URIs have, and no other's: `mimi://<domain>/u/`
 */
export async function listAccounts(
  sql: Sql,
  { prefix, after, limit }: { prefix: string; after: string; limit: number },
): Promise<ListedAccount[]> {
  const { rows } = await sql.query<ListedAccount>(
    `SELECT ${LISTED} FROM account a WHERE a.user_uri > $2 AND starts_with(a.user_uri, $1) AND a.erased_at IS NULL ORDER BY a.user_uri LIMIT $3`,
    [prefix, after, limit],
  )
  return rows
}

export async function findAccount(sql: Sql, userUri: string): Promise<ListedAccount | undefined> {
  const { rows } = await sql.query<ListedAccount>(`SELECT ${LISTED} FROM account a WHERE a.user_uri = $1`, [userUri])
  return rows[0]
}

export interface ListedDevice {
  client: string
  createdAt: Date
  revokedAt: Date | null
  /** Sessions that can still be refreshed. */
  sessions: bigint
}

export async function listDevices(sql: Sql, accountId: bigint): Promise<ListedDevice[]> {
  const { rows } = await sql.query<ListedDevice>(
    `SELECT d.client_uri AS client, d.created_at AS "createdAt", d.revoked_at AS "revokedAt",
            (SELECT count(*) FROM refresh_token r WHERE r.device_id = d.id AND r.expires_at > now()) AS sessions
       FROM device d WHERE d.account_id = $1 ORDER BY d.id`,
    [accountId],
  )
  return rows
}

/**
 * Takes back that an account was disabled; with the account's lock held.
 * @returns false if it is not disabled, or deleted
 */
export async function enableAccount(sql: Sql, accountId: bigint): Promise<boolean> {
  const { rowCount } = await sql.query(
    'UPDATE account SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL AND deleted_at IS NULL',
    [accountId],
  )
  return rowCount === 1
}

export interface ListedInvite {
  /** The first bytes of the code's hash, in hex. */
  id: string
  user: string | null
  usesLeft: number
  expiresAt: Date
}

const INVITE_ID = "left(encode(i.code_hash, 'hex'), 16)"

/** Codes that are still good, the first to expire first. */
export async function listInvites(sql: Sql, limit: number): Promise<ListedInvite[]> {
  const { rows } = await sql.query<ListedInvite>(
    `SELECT ${INVITE_ID} AS id, (SELECT a.user_uri FROM account a WHERE a.id = i.account_id) AS "user", i.uses_left AS "usesLeft", i.expires_at AS "expiresAt"
       FROM invite i
      WHERE i.uses_left > 0 AND i.expires_at > now() ORDER BY i.expires_at, i.code_hash LIMIT $1`,
    [limit],
  )
  return rows
}

/** @param id as `listInvites` shows it @returns how many codes are no longer good by it: none or one, unless two begin alike */
export async function revokeInvites(sql: Sql, id: string): Promise<number> {
  const { rowCount } = await sql.query(`DELETE FROM invite i WHERE ${INVITE_ID} = $1`, [id])
  return rowCount ?? 0
}
