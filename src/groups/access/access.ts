import type { Caller } from '../../authentication/session/caller.js'
import { Forbidden } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { GroupFrozen, NotAMember } from '../groups.problems.js'
import { findGroup, type GroupRow } from '../repository/groups.repository.js'
import { readStanding, type Standing } from './standing.repository.js'

export interface Access {
  group: GroupRow
  standing: Standing
}

/** The group, and where the caller stands with it; 404 for an unknown one, 410 for a tombstone. */
export async function openGroup(sql: Sql, groupId: Uint8Array, caller: Pick<Caller, 'deviceId' | 'userId'>): Promise<Access> {
  const group = await findGroup(sql, groupId)
  if (!group) throw new UnknownGroup()
  const standing = group.deleted ? undefined : await readStanding(sql, group.gid, caller.deviceId, caller.userId)
  if (!standing) throw new GroupDeleted()
  return { group, standing }
}

/** The same, for members only: 403 for anyone else. */
export async function openAsMember(sql: Sql, groupId: Uint8Array, caller: Pick<Caller, 'deviceId' | 'userId'>): Promise<Access> {
  const access = await openGroup(sql, groupId, caller)
  if (!access.standing.member) throw new NotAMember()
  return access
}

/** The same, for members who are admins. */
export async function openAsAdmin(sql: Sql, groupId: Uint8Array, caller: Pick<Caller, 'deviceId' | 'userId'>): Promise<Access> {
  const access = await openAsMember(sql, groupId, caller)
  if (!access.standing.admin) throw new Forbidden('Only admins of the group may do this.')
  return access
}

export function refuseFrozen(group: GroupRow): void {
  if (group.frozen) throw new GroupFrozen(group.frozen, group.successorGroupId)
}
