import type { Sql } from '../../../platform/postgres/sql.js'

/** A change of a device list that waits. */
export interface PendingChange {
  /** Of its last entry. */
  readonly number: number
  /** SHA-256 of its last entry. */
  readonly hash: Uint8Array
  /** Numbers of the certificates of the devices whose entries have to wait. */
  readonly signers: readonly number[]
  readonly entries: readonly Uint8Array[]
  readonly head: Uint8Array
  readonly effectiveAt: Date
}

/** With the account's lock held it stays as it is until COMMIT. */
export async function readPending(sql: Sql, accountId: bigint): Promise<PendingChange | undefined> {
  const { rows } = await sql.query<PendingChange>({
    text: 'SELECT number, hash, signers, entries, head, effective_at AS "effectiveAt" FROM pending_list_change WHERE account_id = $1',
    values: [accountId],
  })
  return rows[0]
}

/** With the account's lock held, while none waits. @returns when it takes effect, in whole seconds */
export async function insertPending(
  sql: Sql,
  accountId: bigint,
  { number, hash, signers, entries, head }: Omit<PendingChange, 'effectiveAt'>,
  delayMs: number,
): Promise<Date> {
  const { rows } = await sql.query<{ effectiveAt: Date }>({
    text: `INSERT INTO pending_list_change (account_id, number, hash, signers, entries, head, effective_at)
           VALUES ($1, $2, $3, $4, $5, $6, date_trunc('second', now() + $7 * interval '1 millisecond')) RETURNING effective_at AS "effectiveAt"`,
    values: [accountId, number, hash, signers, entries, head, delayMs],
  })
  const [row] = rows
  if (row === undefined) throw new Error('INSERT … RETURNING gave no row')
  return row.effectiveAt
}

/** @returns whether it was there: of several that decide, one gets true */
export async function deletePending(sql: Sql, accountId: bigint, hash: Uint8Array): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: 'DELETE FROM pending_list_change WHERE account_id = $1 AND hash = $2',
    values: [accountId, hash],
  })
  return rowCount === 1
}

/** Accounts whose change has waited for long enough, the oldest first. @param without ids of accounts that are left out */
export async function findDueChanges(sql: Sql, limit: number, without: readonly bigint[]): Promise<{ accountId: bigint; user: string }[]> {
  const { rows } = await sql.query<{ accountId: bigint; user: string }>({
    text: `SELECT p.account_id AS "accountId", a.user_uri AS user
             FROM (SELECT account_id, effective_at FROM pending_list_change WHERE effective_at <= now() AND account_id <> ALL ($2) ORDER BY effective_at LIMIT $1) p
            CROSS JOIN LATERAL (SELECT a.user_uri FROM account a WHERE a.id = p.account_id OFFSET 0) a ORDER BY p.effective_at`,
    values: [limit, without],
  })
  return rows
}

/** When the server took each certificate of an identity, by its number. */
export async function readAges(sql: Sql, accountId: bigint, identity: Uint8Array): Promise<Map<number, Date>> {
  const { rows } = await sql.query<{ number: number; taken: Date }>({
    text: 'SELECT number, certified_at AS taken FROM device_certificate WHERE account_id = $1 AND identity = $2',
    values: [accountId, identity],
  })
  return new Map(rows.map(({ number, taken }) => [number, taken]))
}
