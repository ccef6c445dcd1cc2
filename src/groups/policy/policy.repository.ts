import { callFunction, type Sql } from '../../platform/postgres/sql.js'
import { rowOfGroup } from '../repository/group-row.js'
import type { GroupPolicy } from './policy.js'

/** What a change by an admin came to; `forbidden`: the caller is no admin at the moment of the change, or the group is gone. */
export type Changed = 'accepted' | 'forbidden'

/** `changed`: the policy is of another version than `policy.version` by now. */
export async function replacePolicy(sql: Sql, gid: bigint, userId: bigint, policy: GroupPolicy): Promise<Changed | 'changed'> {
  return change(sql, 'change_policy', gid, {
    p_user: userId,
    p_version: policy.version,
    p_external_join: policy.externalJoin,
    p_join_code_hash: policy.joinCodeHash,
    p_add: policy.addMembers,
    p_remove: policy.removeMembers,
    p_reports: policy.reportsToReset,
    p_identities: policy.identities,
  })
}

/** User URIs, in alphabetical order. */
export async function readAdminsAndBans(sql: Sql, gid: bigint): Promise<{ admins: string[]; banned: string[] }> {
  const { rows } = await sql.query<{ admins: string[]; banned: string[] }>({
    text: `SELECT ARRAY(SELECT (SELECT a.user_uri FROM account a WHERE a.id = x.user_id) FROM group_admin x WHERE x.gid = $1 ORDER BY 1) AS admins,
                  ARRAY(SELECT (SELECT a.user_uri FROM account a WHERE a.id = x.user_id) FROM group_ban x WHERE x.gid = $1 ORDER BY 1) AS banned`,
    values: [gid],
  })
  return rows[0] ?? { admins: [], banned: [] }
}

/** @param userUri of this or another provider. @returns the account's id, if the server has met the user */
export async function findUser(sql: Sql, userUri: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ id: bigint }>({ text: 'SELECT id FROM account WHERE user_uri = $1', values: [userUri] })
  return rows[0]?.id
}

/** `absent`: no device of `adminId` is in the group. */
export async function makeAdmin(sql: Sql, gid: bigint, userId: bigint, adminId: bigint): Promise<Changed | 'absent' | 'banned'> {
  return change(sql, 'make_admin', gid, { p_user: userId, p_admin: adminId })
}

/** `last-admin`: it would leave the group without an admin. Accepted if `adminId` is none. */
export async function dismissAdmin(sql: Sql, gid: bigint, userId: bigint, adminId: bigint): Promise<Changed | 'last-admin'> {
  return change(sql, 'dismiss_admin', gid, { p_user: userId, p_admin: adminId })
}

/** Takes the rights of an admin too; `last-admin`: it would leave the group without one. */
export async function banUser(sql: Sql, gid: bigint, userId: bigint, bannedId: bigint): Promise<Changed | 'last-admin'> {
  return change(sql, 'ban_user', gid, { p_user: userId, p_banned: bannedId })
}

export async function unbanUser(sql: Sql, gid: bigint, userId: bigint, bannedId: bigint): Promise<Changed> {
  return change(sql, 'unban_user', gid, { p_user: userId, p_banned: bannedId })
}

/** See prisma/functions/policy.sql: `userId` is who wants the change, and is judged inside. */
async function change<Outcome extends string>(sql: Sql, name: string, gid: bigint, parameters: Record<string, unknown>): Promise<Outcome> {
  const { call, values } = callFunction(name, { p_gid: gid, ...parameters })
  const { rows } = await sql.query<{ outcome: Outcome }>({ text: `SELECT ${call} AS outcome`, values, row: rowOfGroup(gid) })
  if (!rows[0]) throw new Error(`${name} returned no row`)
  return rows[0].outcome
}
