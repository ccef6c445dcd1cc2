import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import type { PublicMessage } from '../../protocol/mls/structures/public-message.js'
import { validateCommit, type ValidCommit } from '../../protocol/public-group/commit.js'
import { memberAt, type Member, type PublicGroupState } from '../../protocol/public-group/state.js'
import { followupsFor, ExternalSenders } from '../external-sender/external-senders.js'
import { InvalidCommit } from '../groups.problems.js'
import { MEMBERSHIP, type Membership } from '../roster/membership.js'
import { addsOf, memberOf } from '../roster/roster.js'
import { expiredAmong, namedVoid } from '../roster/void-proposals.js'
import { refuseOtherTree } from '../state/described-epoch.js'
import { PublicStates } from '../state/public-states.js'
import type { Tracked } from '../state/state-cache.js'
import { StoredEpochs } from '../state/stored-epochs.js'
import { checkGroupInfo, refuseMissingRemoves } from './commit-checks.js'
import type { CommitContext, Judged } from './commit-context.js'

/**
 * Commits that the server can read: all of a public group, and the external ones of a private group. They are judged
 * against the public group state, outside any transaction; SQL checks afterwards that nothing has changed since.
 */
@Injectable()
export class PublicCommitValidator {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(MEMBERSHIP) private readonly membership: Membership,
    private readonly states: PublicStates,
    private readonly stored: StoredEpochs,
    private readonly senders: ExternalSenders,
  ) {}

  /** @throws the problem that the Commit meets first */
  async judge(context: CommitContext, message: PublicMessage): Promise<Judged> {
    const { group, caller, bundle, callersKeys, lastHandshake } = context
    const before = group.mode === 'public' ? await this.states.at(group, lastHandshake) : undefined
    const state = before?.state ?? (await this.stored.of(group))
    await this.membership.requireOwnLeaf(caller, signerOf(state, message), callersKeys)
    const lifetimes = this.membership.lifetimes()
    const verdict = await validateCommit(state, message, {
      groupInfo: bundle.groupInfo?.value,
      mayCarryTree: group.mode === 'private',
      welcomes: this.membership.welcomesOf(bundle),
      lifetimes,
    })
    if (verdict.kind === 'refused') {
      const expired = expiredAmong(state, message, lifetimes).map(({ bytes }) => bytes)
      throw expired.length > 0 ? await namedVoid(this.pool, context, expired) : new InvalidCommit(verdict.rule)
    }
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
    const { added, removed, welcomes, certificates } = await this.membership.changesOf(context, state, verdict)
    await refuseMissingRemoves(this.pool, context, state, removed, verdict.external)
    const gone = new Set([...removed.map(({ deviceId }) => deviceId), ...(verdict.external ? [caller.deviceId] : [])])
    const { followups, unsigned } = await followupsFor(
      // By leaf index the server signs only what it has followed itself: the tree of a private group is its members' word.
      before && verdict.next,
      pending.filter(({ deviceId }) => !gone.has(deviceId)),
      (next, leafIndex) => this.senders.proposeRemove(next, leafIndex),
    )
    const adds = addsOf(verdict)
    const byValue = verdict.external
      ? []
      : added.flatMap((device, index) => (adds[index]?.byReference === false ? [{ ...device, ref: adds[index].keyPackageRef }] : []))
    const tree = before ? null : await this.stored.encodedTree(verdict.next)
    if (tree && bundle.groupInfo) refuseOtherTree(bundle.groupInfo.value, tree)
    return {
      external: verdict.external,
      freshRefs: byValue.map(({ ref }) => ref),
      freshDevices: byValue.map(({ deviceId }) => deviceId),
      added,
      putIn: byValue.filter(({ userId }) => userId !== caller.userId).map(({ deviceId }) => deviceId),
      removed,
      welcomes,
      certificates,
      groupInfo: bundle.groupInfo?.bytes ?? null,
      tree,
      claimedRemoved: null,
      reinit: verdict.reinit !== undefined,
      announced: verdict.reinit?.groupId ?? null,
      followups,
      unsigned,
      states: before && { before, next: verdict.next },
    }
  }
}

function signerOf(state: PublicGroupState, { sender, content }: PublicMessage): Member | undefined {
  if (sender.kind === 'member') return memberOf(state, sender.leafIndex)
  if (sender.kind !== 'new-member-commit' || content.kind !== 'commit' || !content.path) throw new InvalidCommit('external-commit-path')
  return memberAt(-1, content.path.leafNode)
}
