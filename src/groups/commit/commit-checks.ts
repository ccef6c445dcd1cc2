import { timingSafeEqual } from 'node:crypto'
import { UnknownGroup } from '../../delivery/delivery.problems.js'
import type { Caller } from '../../authentication/session/caller.js'
import type { Sql } from '../../platform/postgres/sql.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import { joinerOf, notAMember, type Access } from '../access/access.js'
import type { Standing } from '../access/access.repository.js'
import { InvalidCommit, PolicyRefusal, ProposalsPending } from '../groups.problems.js'
import type { Bundle } from '../input/bundle.js'
import { judgeJoiner } from '../authority/actions.js'
import type { GroupLimits } from '../limits/group-limits.js'
import { hashOfCode } from '../policy/policy.js'
import type { GroupMode } from '../repository/groups.repository.js'
import type { RemovedDevice } from '../repository/submissions.repository.js'
import { vouchersOf, type Vouchers } from '../roster/vouchers.js'
import { hasExternalPub } from '../state/described-epoch.js'
import { entriesOfMessages } from '../state/submission-refusals.js'
import type { CommitContext } from './commit-context.js'

/** Whether a Commit comes from outside, as its sender says; a member may also come back from outside (resync). */
export function isExternal(bundle: Pick<Bundle, 'commit'>): boolean {
  return bundle.commit.kind === 'public' && bundle.commit.message.sender.kind === 'new-member-commit'
}

/** Members commit in the wire format of the mode; strangers as far as the policy lets them in (`externalJoin`). */
export function authorizeMembersCommit(mode: GroupMode, standing: Standing, bundle: Pick<Bundle, 'commit'>): void {
  if (!standing.member) throw notAMember(standing)
  const open = bundle.commit.kind === 'public'
  if (open !== (mode === 'public')) throw new InvalidCommit('wire-format-of-mode')
}

/**
 * Whether the policy lets a device join or come back from outside. A join code is a guess until it turns out to be right.
 * @param joinCode as it came with the request
 * @returns the devices of the user whose certificates the caller's hangs from, where the right comes from one of them being a member
 * @throws PolicyRefusal, RateLimited, or UnknownGroup for a stranger, who learns neither the policy nor that there is a group
 */
export async function authorizeExternalJoin(
  sql: Sql,
  limits: GroupLimits,
  caller: Caller,
  { group, standing }: Access,
  joinCode: string | undefined,
): Promise<Vouchers | undefined> {
  const vouchers = await vouchersOf(sql, group.gid, caller, standing)
  const judge = (codeMatches: boolean, vouched: boolean) => judgeJoiner(joinerOf(standing, { vouched, codeMatches }))
  const codeMatches = matches(standing.policy.joinCodeHash, joinCode)
  const vouched = vouchers !== undefined
  const judgement = judge(codeMatches, vouched)
  const decidedByCode = judge(true, vouched).kind !== judge(false, vouched).kind
  if (joinCode !== undefined) await limits.guess(caller, decidedByCode ? group.gid : undefined, judgement.kind === 'allowed')
  if (judgement.kind === 'allowed') return judge(codeMatches, false).kind === 'allowed' ? undefined : vouchers
  throw judgement.problem === 'not-found' ? new UnknownGroup() : new PolicyRefusal(judgement.why)
}

/** Where no group was found. @throws RateLimited, if a join code was shown for it too often; otherwise `error` */
export async function refuseUnknown(limits: GroupLimits, caller: Caller, joinCode: string | undefined, error: unknown): Promise<never> {
  if (error instanceof UnknownGroup && joinCode !== undefined) await limits.guess(caller, undefined, false)
  throw error
}

function matches(hash: Uint8Array | null, code: string | undefined): boolean {
  return hash !== null && code !== undefined && timingSafeEqual(hash, hashOfCode(code))
}

/**
 * Where external joins are on, a GroupInfo is mandatory, and one that can be joined by (RFC 9420 §12.4.3.2). After a
 * ReInit nobody joins any more. The GroupInfo itself is checked with a Commit that can be read.
 */
export function checkGroupInfo({ bundle, standing }: Pick<CommitContext, 'bundle' | 'standing'>, reinit: boolean): void {
  if (standing.policy.externalJoin === 'none' || reinit) return
  if (!bundle.groupInfo) throw new InvalidCommit('group-info-missing')
  if (!hasExternalPub(bundle.groupInfo.value)) throw new InvalidCommit('group-info-external-pub')
}

/**
 * In a public group a member's Commit has to take out those who asked to leave or were revoked, if a Remove for this
 * epoch is in the log (§4): 409 with those Removes. A leaver cannot commit its own Remove (RFC 9420 §12.2), and a
 * joiner cannot commit proposals at all; both get them regenerated behind their Commit.
 */
export async function refuseMissingRemoves(
  sql: Sql,
  { group, caller, pending }: CommitContext,
  state: PublicGroupState,
  removed: readonly RemovedDevice[],
  external: boolean,
): Promise<void> {
  if (external || group.mode !== 'public') return
  const going = new Set(removed.map(({ deviceId }) => deviceId))
  const left = pending.filter(
    ({ deviceId, proposedEpoch }) => proposedEpoch === group.epoch && deviceId !== caller.deviceId && !going.has(deviceId),
  )
  const leaves = new Set(left.flatMap(({ leafIndex }) => leafIndex ?? []))
  if (leaves.size === 0) return
  // Leaf numbers are of the epoch of the proposal: those that have moved since are not asked for.
  const due = [...state.pending.values()].filter(
    ({ proposal, sender }) => sender.kind === 'external' && proposal.kind === 'remove' && leaves.has(proposal.removed),
  )
  if (due.length === 0) return
  const messages = due.map(({ bytes }) => bytes)
  throw new ProposalsPending(group.epoch, await entriesOfMessages(sql, group, caller.deviceId, messages))
}
