import { timingSafeEqual } from 'node:crypto'
import type { Standing } from '../access/access.repository.js'
import { InvalidCommit, NotAMember, PolicyRefusal } from '../groups.problems.js'
import type { Bundle } from '../input/bundle.js'
import { hashOfCode } from '../policy/join-code.js'
import { judgeExternalJoin } from '../policy/policy.js'
import type { GroupMode } from '../repository/groups.repository.js'

/** Whether a Commit comes from outside, as its sender says; a member may also come back from outside (resync). */
export function isExternal(bundle: Pick<Bundle, 'commit'>): boolean {
  return bundle.commit.kind === 'public' && bundle.commit.message.sender.kind === 'new-member-commit'
}

/** Members commit in the wire format of the mode; strangers as far as the policy lets them in. */
export function authorizeCommit(mode: GroupMode, standing: Standing, bundle: Pick<Bundle, 'commit' | 'joinCode'>): void {
  if (isExternal(bundle)) return authorizeExternalJoin(standing, bundle.joinCode)
  if (!standing.member) throw new NotAMember()
  const open = bundle.commit.kind === 'public'
  if (open !== (mode === 'public')) throw new InvalidCommit('wire-format-of-mode')
}

export function authorizeExternalJoin(standing: Standing, joinCode: string | undefined): void {
  const { banned, present, lastEnded, policy } = standing
  const verdict = judgeExternalJoin(policy, { banned, present, lastEnded, codeMatches: matches(policy.joinCodeHash, joinCode) })
  if (verdict.kind === 'refused') throw new PolicyRefusal(verdict.why)
}

function matches(hash: Uint8Array | null, code: string | undefined): boolean {
  return hash !== null && code !== undefined && timingSafeEqual(hash, hashOfCode(code))
}
