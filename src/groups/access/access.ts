import type { Caller } from '../../authentication/session/caller.js'
import { GroupDeleted, UnknownGroup } from '../../delivery/delivery.problems.js'
import { Forbidden, type Problem } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { judge, type Action } from '../authority/actions.js'
import type { Facts, Judgement } from '../authority/facts.js'
import { GroupFrozen, NotAMember, NotASuccessor, PolicyRefusal, ResetFinal, SuccessorReserved } from '../groups.problems.js'
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

/** The same, if the caller may do this to it (docs/authority.md). @throws the refusal that the page names */
export async function openFor(sql: Sql, groupId: Uint8Array, caller: Pick<Caller, 'deviceId' | 'userId'>, action: Action): Promise<Access> {
  const access = await openGroup(sql, groupId, caller)
  requireRight(access, action)
  return access
}

/** For a caller whose action depends on where it stands. @throws the refusal that the page names */
export function requireRight(access: Access, action: Action): void {
  const judgement = judge(action, access.group.mode, factsOf(access))
  if (judgement.kind === 'refused') throw refusalOf(judgement, access.group)
}

function factsOf({ group, standing }: Access): Facts {
  const { frozen, reservedUntil, successorGroupId } = group
  return {
    ...joinerOf(standing, { vouched: false, codeMatches: false }),
    member: standing.member !== undefined,
    ...{ frozen, reserved: reservedUntil !== null, succeeded: successorGroupId !== null },
  }
}

function refusalOf({ problem, why }: Extract<Judgement, { kind: 'refused' }>, group: GroupRow): Problem {
  switch (problem) {
    case 'not-found':
      return new UnknownGroup()
    case 'not-a-member':
      return new NotAMember()
    case 'forbidden':
      return new Forbidden(why)
    case 'policy':
      return new PolicyRefusal(why)
    case 'group-frozen':
      return new GroupFrozen(group.frozen ?? 'reset', group.successorGroupId)
    case 'no-predecessor':
      return new NotASuccessor()
    case 'successor-reserved':
      return new SuccessorReserved(group.reservedUntil)
    case 'reset-final':
      return new ResetFinal()
  }
}

/** The facts of one who wants in from outside. */
export function joinerOf(
  standing: Standing,
  shown: Pick<Facts, 'vouched' | 'codeMatches'>,
): Omit<Facts, 'member' | 'frozen' | 'reserved' | 'succeeded'> {
  const { member, ...facts } = standing
  return { ...facts, inside: member !== undefined || standing.leaving, acquainted: isAcquainted(standing), ...shown }
}

/** The refusal for somebody who is no member; a stranger gets the one for a group that does not exist. */
export function notAMember(standing: Standing): Problem {
  return isAcquainted(standing) ? new NotAMember() : new UnknownGroup()
}

/** Whether the device or its user is or was in the group, or looks after it. */
export function isAcquainted({ ever, present, lastEnded, admin }: Standing): boolean {
  return ever || present || lastEnded !== null || admin
}

/** @throws GroupFrozen after a ReInit or a reset, with the successor if there is one */
export function refuseFrozen(group: GroupRow): void {
  if (group.frozen) throw new GroupFrozen(group.frozen, group.successorGroupId)
}
