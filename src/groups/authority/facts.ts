import type { GroupPolicy } from '../policy/policy.js'
import type { Joiner } from './rules.js'

/** All that a right in a group depends on, as of one moment. The caller's device and user are not named: rights depend on nothing else. */
export interface Facts extends Joiner {
  policy: Pick<GroupPolicy, 'externalJoin' | 'addMembers' | 'removeMembers'>
  /** After a ReInit or a reset the group takes no more entries. */
  frozen: 'reinit' | 'reset' | null
  /** The grace time after that has not passed: only admins, and who reset the group by reports, may create its successor. */
  reserved: boolean
  /** A group has taken this one's place. */
  succeeded: boolean
  /** The caller's user reset the group by reports. An admin's right is that of an admin, as long as it is one. */
  resetter: boolean
  /** The caller's device has a leaf in the group, and did not ask to leave. */
  member: boolean
  /** The caller's device asked to leave, and is out for the server; its leaf is there until a Commit removes it. Then `member` is false. */
  leaving: boolean
  /** The caller's device has or had a leaf in the group. */
  ever: boolean
  /** The caller's user is one of the group's admins. */
  admin: boolean
  /** The caller's device or user is, was or is to be in the group. All others learn nothing, not even that the group exists. */
  acquainted: boolean
}

/** Names of problem types (docs/errors.md) that say who may not. */
export type RefusedAs =
  'not-found' | 'not-a-member' | 'forbidden' | 'policy' | 'group-frozen' | 'no-predecessor' | 'successor-reserved' | 'reset-final'

export type Judgement = { kind: 'allowed' } | { kind: 'refused'; problem: RefusedAs; why: string }

export const ALLOWED: Judgement = { kind: 'allowed' }

/** @param why for the person who asked; empty where the problem type says it all */
export function refused(problem: RefusedAs, why = ''): Judgement {
  return { kind: 'refused', problem, why }
}
