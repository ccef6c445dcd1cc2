import type { Sql } from '../../platform/postgres/sql.js'

/** What a group keeps, and who pays for it; bytes of its log, Welcomes, GroupInfos, trees and snapshots. */
export interface StorageOfGroup {
  bytes: bigint
  /** The groups of its payer keep more than they may, as retention saw last. */
  overQuota: boolean
  /** Whether the device's account is who pays. */
  own: boolean
  /** Of all groups of the payer. */
  accountBytes: bigint
}

export async function readStorage(sql: Sql, gid: bigint, deviceId: bigint | null): Promise<StorageOfGroup | undefined> {
  const { rows } = await sql.query<StorageOfGroup>({
    name: 'read_storage',
    text: `SELECT g.bytes, g.over_quota AS "overQuota", coalesce(g.payer = (SELECT d.account_id FROM device d WHERE d.id = $2), false) AS own,
                  coalesce((SELECT sum(x.bytes) FROM groups x WHERE x.payer = g.payer AND x.payer IS NOT NULL AND x.deleted_at IS NULL), 0)::bigint AS "accountBytes"
             FROM groups g WHERE g.gid = $1`,
    values: [gid, deviceId],
  })
  return rows[0]
}

/**
 * Unmarks a group whose payer has room again, which retention would find within the hour.
 * @param most bytes that all groups of a payer may keep
 * @returns whether it was marked and is no more
 */
export async function unmarkOverQuota(sql: Sql, gid: bigint, most: number): Promise<boolean> {
  const { rowCount } = await sql.query({
    name: 'unmark_over_quota',
    text: `UPDATE groups g SET over_quota = false WHERE g.gid = $1 AND g.over_quota AND (
             SELECT coalesce(sum(x.bytes), 0) FROM groups x WHERE x.payer = g.payer AND x.payer IS NOT NULL AND x.deleted_at IS NULL
           ) <= $2`,
    values: [gid, most],
  })
  return rowCount === 1
}

/** What the groups that an account has created keep, without those that were deleted. */
export async function readAccountStorage(sql: Sql, userId: bigint): Promise<{ bytes: bigint; groups: bigint }> {
  const { rows } = await sql.query<{ bytes: bigint; groups: bigint }>({
    name: 'read_account_storage',
    text: `SELECT coalesce(sum(bytes), 0)::bigint AS bytes, count(*) AS groups FROM groups
            WHERE payer = $1 AND payer IS NOT NULL AND deleted_at IS NULL`,
    values: [userId],
  })
  return rows[0] ?? { bytes: 0n, groups: 0n }
}

/** The largest groups of an account, `limit` at most. */
export async function readLargestOf(sql: Sql, userId: bigint, limit: number): Promise<{ groupId: Buffer; room: string; bytes: bigint }[]> {
  const { rows } = await sql.query<{ groupId: Buffer; room: string; bytes: bigint }>({
    name: 'read_largest_of',
    text: `SELECT group_id AS "groupId", room_id AS room, bytes FROM groups
            WHERE payer = $1 AND payer IS NOT NULL AND deleted_at IS NULL ORDER BY bytes DESC, gid LIMIT $2`,
    values: [userId, limit],
  })
  return rows
}

/** KeyPackages that are kept for the active devices of an account. */
export async function countKeptKeyPackages(sql: Sql, userId: bigint): Promise<{ keyPackages: bigint; devices: bigint }> {
  const { rows } = await sql.query<{ keyPackages: bigint; devices: bigint }>({
    name: 'count_kept_key_packages',
    text: `SELECT coalesce(sum(k.kept), 0)::bigint AS "keyPackages", count(*) AS devices FROM device d CROSS JOIN LATERAL (
             SELECT count(*) AS kept FROM key_package p WHERE p.device_id = d.id OFFSET 0
           ) k WHERE d.account_id = $1 AND d.revoked_at IS NULL`,
    values: [userId],
  })
  return rows[0] ?? { keyPackages: 0n, devices: 0n }
}
