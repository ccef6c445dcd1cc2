import type { Sql } from '../platform/postgres/sql.js'

export interface AccountRow {
  createdAt: Date
  searchable: boolean
  asked: boolean
}

/** The account itself and what its user has chosen. Undefined if it is gone. */
export async function readAccount(sql: Sql, accountId: bigint): Promise<AccountRow | undefined> {
  const { rows } = await sql.query<AccountRow>({
    name: 'read_account',
    text: `SELECT a.created_at AS "createdAt",
                  NOT EXISTS (SELECT FROM unsearchable_account u WHERE u.account_id = a.id) AS searchable,
                  EXISTS (SELECT FROM asking_account x WHERE x.account_id = a.id) AS asked
             FROM account a WHERE a.id = $1`,
    values: [accountId],
  })
  return rows[0]
}

export interface DeviceRow {
  id: bigint
  client: string
  since: Date
  revokedAt: Date | null
}

/** The newest devices of an account, the oldest of them first. "+ 0": by the account's index, and not through all devices. */
export async function newestDevices(sql: Sql, accountId: bigint, limit: number): Promise<DeviceRow[]> {
  const { rows } = await sql.query<DeviceRow>({
    name: 'newest_devices',
    text: `SELECT d.id, d.client_uri AS client, d.created_at AS since, d.revoked_at AS "revokedAt"
             FROM device d WHERE d.account_id = $1 ORDER BY d.id + 0 DESC LIMIT $2`,
    values: [accountId, limit],
  })
  return rows.toReversed()
}

export interface AccountCounts {
  groups: bigint
  keyPackages: bigint
  inbox: bigint
  blocks: bigint
  consents: bigint
}

/** How much of each there is, up to `most`. "OFFSET 0": one look-up for each of the user's devices. */
export async function countOfAccount(sql: Sql, accountId: bigint, user: string, most: number): Promise<AccountCounts> {
  const perDevice = (of: string) =>
    `FROM (SELECT id FROM device WHERE account_id = $1 OFFSET 0) d CROSS JOIN LATERAL (${of} OFFSET 0) x LIMIT $3`
  const { rows } = await sql.query<AccountCounts>({
    name: 'count_of_account',
    text: `SELECT (SELECT count(DISTINCT y.gid) FROM (SELECT x.gid ${perDevice('SELECT m.gid FROM member m WHERE m.device_id = d.id AND m.until_seq IS NULL AND m.read_until IS NULL')}) y) AS groups,
                  (SELECT count(*) FROM (SELECT ${perDevice('SELECT FROM key_package k WHERE k.device_id = d.id')}) y) AS "keyPackages",
                  (SELECT count(*) FROM (SELECT ${perDevice('SELECT FROM inbox i WHERE i.device_id = d.id')}) y) AS inbox,
                  (SELECT count(*) FROM (SELECT FROM user_block b WHERE b.blocker = $2 LIMIT $3) y) AS blocks,
                  (SELECT count(*) FROM (SELECT FROM consent c WHERE c.target = $2 LIMIT $3) y) AS consents`,
    values: [accountId, user, most],
  })
  return rows[0] ?? { groups: 0n, keyPackages: 0n, inbox: 0n, blocks: 0n, consents: 0n }
}
