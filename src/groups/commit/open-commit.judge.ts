import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { lifetimeLimits } from '../../key-packages/upload/check-key-package.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import type { PublicMessage, Sender } from '../../protocol/mls/structures/public-message.js'
import { validateCommit, type ValidCommit } from '../../protocol/public-group/commit.js'
import { memberAt, treeBytes, type Member, type PublicGroupState } from '../../protocol/public-group/state.js'
import { bannedAmong } from '../access/standing.repository.js'
import { followupsFor } from '../external-sender/followups.js'
import { ExternalSenders } from '../external-sender/external-senders.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import { judgeRosterChange, removalReason, type Proposer } from '../policy/policy.js'
import type { RemovedDevice } from '../repository/submissions.repository.js'
import { PublicStates } from '../state/public-states.js'
import type { Tracked } from '../state/state-cache.js'
import { StoredEpochs } from '../state/stored-epochs.js'
import type { CommitContext, Judged } from './commit-context.js'
import { checkGroupInfo } from './group-info-check.js'
import { memberOf } from '../roster/member-of.js'
import { duePending } from './pending-due.js'
import { checkNewLeaves, deviceOf, directoryOf, identityAt, refuseForeignLeaf, type Directory } from '../roster/roster.js'
import { routeWelcomes } from '../roster/welcome-routes.js'

/**
 * Commits that the server can read: all of a public group, and the external ones of a private group. They are judged
 * against the public group state, outside any transaction; SQL checks afterwards that nothing has changed meanwhile.
 */
@Injectable()
export class OpenCommitJudge {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'KEY_PACKAGE_MAX_LIFETIME'>,
    private readonly states: PublicStates,
    private readonly stored: StoredEpochs,
    private readonly senders: ExternalSenders,
  ) {}

  /** @throws the problem that the Commit meets first */
  async judge(context: CommitContext, message: PublicMessage): Promise<Judged> {
    const { group, caller, bundle } = context
    const before = group.mode === 'public' ? await this.states.at(group) : undefined
    const state = before?.state ?? (await this.stored.of(group))
    await refuseForeignLeaf(this.pool, caller, signerOf(state, message))
    const verdict = await validateCommit(state, message, {
      groupInfo: bundle.groupInfo?.value,
      mayCarryTree: group.mode === 'private',
      welcomes: bundle.welcomes.map(({ value }) => value),
      lifetimes: lifetimeLimits(new Date(), this.config.KEY_PACKAGE_MAX_LIFETIME),
    })
    if (verdict.kind === 'refused') throw new InvalidCommit(verdict.rule)
    checkGroupInfo(context, verdict.reinit !== undefined)
    return this.consequences(context, state, verdict, before)
  }

  private async consequences(
    context: CommitContext,
    state: PublicGroupState,
    verdict: ValidCommit,
    before: Tracked | undefined,
  ): Promise<Judged> {
    const { caller, bundle, pending } = context
    const directory = await directoryOf(this.pool, state, verdict)
    await checkNewLeaves(this.pool, state, verdict, directory)
    const removed = removedDevices(context, state, verdict, directory)
    if (!verdict.external) await this.refuseAgainstPolicy(context, verdict, removed, directory)
    await duePending(this.pool, context, state, removed, verdict.external)
    const gone = new Set([...removed.map(({ deviceId }) => deviceId), ...(verdict.external ? [caller.deviceId] : [])])
    const { followups, unsigned } = await followupsFor(
      verdict.next,
      pending.filter(({ deviceId }) => !gone.has(deviceId)),
      (next, leafIndex) => this.senders.proposeRemove(next, leafIndex),
    )
    const routes = routeWelcomes(bundle.welcomes, verdict, directory, new Date(Date.now() + this.config.KEY_PACKAGE_MAX_LIFETIME))
    return {
      external: verdict.external,
      added: verdict.external ? [{ deviceId: caller.deviceId, welcome: null }] : routes.added,
      removed,
      welcomes: routes.welcomes,
      groupInfo: bundle.groupInfo?.bytes ?? null,
      tree: before ? null : treeBytes(verdict.next),
      claimedRemoved: null,
      reinit: verdict.reinit !== undefined,
      followups,
      unsigned,
      states: before && { before, next: verdict.next },
    }
  }

  private async refuseAgainstPolicy(
    context: CommitContext,
    verdict: ValidCommit,
    removed: readonly RemovedDevice[],
    directory: Directory,
  ): Promise<void> {
    const added = verdict.added.map((member) => deviceOf(directory, member).userId)
    const banned = await bannedAmong(this.pool, context.group.gid, added)
    const userOf = new Map([...directory.values()].map(({ deviceId, userId }) => [deviceId, userId]))
    const change = {
      committer: { userId: context.caller.userId, admin: context.standing.admin },
      added: added.map((userId) => ({ userId, banned: banned.has(userId) })),
      removed: removed.map(({ deviceId, reason }) => ({ userId: userOf.get(deviceId) ?? 0n, reason })),
      reinit: verdict.reinit !== undefined,
    }
    const judged = judgeRosterChange(context.standing.policy, change)
    if (judged.kind === 'refused') throw new PolicyRefusal(judged.why)
  }
}

function signerOf(state: PublicGroupState, { sender, content }: PublicMessage): Member | undefined {
  if (sender.kind === 'member') return memberOf(state, sender.leafIndex)
  if (sender.kind !== 'new-member-commit' || content.kind !== 'commit' || !content.path) throw new InvalidCommit('external-commit-path')
  return memberAt(-1, content.path.leafNode)
}

/** An external Commit removes the joiner's own former leaf and no other (RFC 9420 §12.4.3.2), but for those who remove themselves. */
function removedDevices(context: CommitContext, state: PublicGroupState, verdict: ValidCommit, directory: Directory): RemovedDevice[] {
  const reasons = new Map(context.pending.map(({ deviceId, reason }) => [deviceId, reason]))
  return verdict.removed.map((member) => {
    const { deviceId, userId } = deviceOf(directory, member)
    const sent = verdict.proposals.find(({ proposal, sender }) =>
      proposal.kind === 'remove'
        ? proposal.removed === member.leafIndex
        : proposal.kind === 'self-remove' && sender.kind === 'member' && sender.leafIndex === member.leafIndex,
    )
    if (verdict.external && sent?.proposal.kind === 'remove') {
      if (member.identity !== context.caller.client) throw new InvalidCommit('external-commit-remove')
      return { deviceId, reason: 'resync' }
    }
    const by = {
      committerUserId: context.caller.userId,
      proposer: proposerOf(state, sent?.sender, directory),
      pending: reasons.get(deviceId),
    }
    return { deviceId, reason: removalReason(userId, by) }
  })
}

function proposerOf(state: PublicGroupState, sender: Sender | undefined, directory: Directory): Proposer {
  if (sender?.kind === 'external') return 'server'
  const [identity] = sender?.kind === 'member' ? identityAt(state, sender.leafIndex) : []
  return (identity === undefined ? undefined : directory.get(identity)?.userId) ?? 'unseen'
}
