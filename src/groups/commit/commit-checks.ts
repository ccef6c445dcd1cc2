import { timingSafeEqual } from 'node:crypto'
import { toEntry } from '../../delivery/read/entry.js'
import type { Caller } from '../../authentication/session/caller.js'
import type { Sql } from '../../platform/postgres/sql.js'
import type { PublicGroupState } from '../../protocol/public-group/state.js'
import { sha256 } from '../../protocol/sha256.js'
import type { Access } from '../access/access.js'
import type { Standing } from '../access/access.repository.js'
import { InvalidCommit, NotAMember, PolicyRefusal, ProposalsPending } from '../groups.problems.js'
import type { Bundle } from '../input/bundle.js'
import { judgeExternalJoin } from '../authority/rules.js'
import type { GroupLimits } from '../limits/group-limits.js'
import { hashOfCode } from '../policy/policy.js'
import type { GroupMode } from '../repository/groups.repository.js'
import { readHandshakesByHash } from '../repository/log.repository.js'
import type { RemovedDevice } from '../repository/submissions.repository.js'
import { hasExternalPub } from '../state/described-epoch.js'
import type { CommitContext } from './commit-context.js'

/** Whether a Commit comes from outside, as its sender says; a member may also come back from outside (resync). */
export function isExternal(bundle: Pick<Bundle, 'commit'>): boolean {
  return bundle.commit.kind === 'public' && bundle.commit.message.sender.kind === 'new-member-commit'
}

/** Members commit in the wire format of the mode; strangers as far as the policy lets them in (`externalJoin`). */
export function authorizeMembersCommit(mode: GroupMode, standing: Standing, bundle: Pick<Bundle, 'commit'>): void {
  if (!standing.member) throw new NotAMember()
  const open = bundle.commit.kind === 'public'
  if (open !== (mode === 'public')) throw new InvalidCommit('wire-format-of-mode')
}

/**
 * Whether the policy lets a device join or come back from outside. A join code is a guess until it turns out to be right.
 * @param joinCode as it came with the request
 * @throws PolicyRefusal, RateLimited
 */
export async function authorizeExternalJoin(
  limits: GroupLimits,
  caller: Caller,
  access: Access,
  joinCode: string | undefined,
): Promise<void> {
  const { gid } = access.group
  const { banned, removed, present, lastEnded, policy } = access.standing
  const judge = (codeMatches: boolean) => judgeExternalJoin(policy, { banned, removed, present, lastEnded, codeMatches })
  const codeMatches = matches(policy.joinCodeHash, joinCode)
  const decidedByCode = joinCode !== undefined && judge(true).kind !== judge(false).kind
  if (decidedByCode) await limits.guess(caller, gid, codeMatches)
  const verdict = judge(codeMatches)
  if (verdict.kind === 'refused') throw new PolicyRefusal(verdict.why)
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
  const rows = await readHandshakesByHash(
    sql,
    group.gid,
    caller.deviceId,
    due.map(({ bytes }) => sha256(bytes)),
  )
  throw new ProposalsPending(
    group.epoch,
    rows.map((row) => toEntry(group, row)),
  )
}
