import type { Caller } from '../../authentication/session/caller.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { Forbidden, type Problem } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { GroupFrozen, NotAMember } from '../groups.problems.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { readForSubmission, readGroupAndStanding, type FoundForSubmission, type FoundGroup, type Standing } from './access.repository.js'

/** A group that is there, and where the caller stands with it. */
export interface Access {
  group: GroupRow
  standing: Standing
}

/** The same, with all that a Commit or Proposal is judged by before it is looked into; as of one moment. */
export type SubmissionAccess = Access & Omit<FoundForSubmission, keyof Access>

/** The group, and where the caller stands with it; 404 for an unknown one, 410 for a tombstone. */
export async function openGroup(sql: Sql, groupId: Uint8Array, caller: Pick<Caller, 'deviceId' | 'userId'>): Promise<Access> {
  return standing(await readGroupAndStanding(sql, groupId, caller))
}

/** @param message `hash` is SHA-256 of its bytes; `outside`: its sender is no member */
export async function openForSubmission(
  sql: Sql,
  groupId: Uint8Array,
  caller: Pick<Caller, 'deviceId' | 'userId'>,
  message: { hash: Uint8Array; outside: boolean },
): Promise<SubmissionAccess> {
  return standing(await readForSubmission(sql, groupId, caller, message))
}

function standing<Found extends FoundGroup>(found: Found | undefined): Found & Access {
  if (!found) throw new UnknownGroup()
  if (found.group.deleted || !found.standing) throw new GroupDeleted()
  return { ...found, standing: found.standing }
}

/** The same, for members only: 403 for anyone else, and 404 for who never had to do with the group. */
export async function openAsMember(sql: Sql, groupId: Uint8Array, caller: Pick<Caller, 'deviceId' | 'userId'>): Promise<Access> {
  const access = await openGroup(sql, groupId, caller)
  if (!access.standing.member) throw notAMember(access.standing)
  return access
}

/** What one is told who is no member: a stranger that there is no such group. */
export function notAMember(standing: Standing): Problem {
  return isAcquainted(standing) ? new NotAMember() : new UnknownGroup()
}

/** Whether the device or its user is or was in the group, or looks after it. */
export function isAcquainted({ ever, present, lastEnded, admin }: Standing): boolean {
  return ever || present || lastEnded !== null || admin
}

/** The same, for members who are admins. */
export async function openAsAdmin(sql: Sql, groupId: Uint8Array, caller: Pick<Caller, 'deviceId' | 'userId'>): Promise<Access> {
  const access = await openAsMember(sql, groupId, caller)
  if (!access.standing.admin) throw new Forbidden('Only admins of the group may do this.')
  return access
}

/** @throws GroupFrozen after a ReInit or a reset, with the successor if there is one */
export function refuseFrozen(group: GroupRow): void {
  if (group.frozen) throw new GroupFrozen(group.frozen, group.successorGroupId)
}
