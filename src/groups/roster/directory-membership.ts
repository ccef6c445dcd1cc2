import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { lifetimeLimits } from '../../key-packages/check-key-package.js'
import type { Config } from '../../platform/config/config.js'
import { parseClientUri } from '../../protocol/identifiers.js'
import type { LifetimeLimits } from '../../protocol/mls/leaf-node-rules.js'
import type { Sender } from '../../protocol/mls/structures/public-message.js'
import type { Welcome } from '../../protocol/mls/structures/welcome.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import { changedLeaf, type SentProposal } from '../../protocol/public-group/proposals/pending-proposals.js'
import { memberAt, type Member, type PublicGroupState } from '../../protocol/public-group/state.js'
import type { Tree } from '../../protocol/public-group/tree/tree.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import type { CommitContext, SubmissionContext } from '../commit/commit-context.js'
import type { FederationLink } from '../home/federation-link.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import type { Bundle } from '../input/bundle.js'
import { judgeRosterChange, mayThrowOut, removalReason, type Ended, type Proposer, type RosterChange } from '../policy/policy.js'
import type { RemovedDevice } from '../repository/submissions.repository.js'
import type { DeviceChanges, Membership } from './membership.js'
import { devicesOfLeaves } from './roster.repository.js'
import {
  checkNewLeaves,
  deviceOf,
  identityAt,
  leavesNamed,
  memberOf,
  refuseSecondLeaf,
  requireLeafWithKey,
  requireOwnLeaf,
  type Directory,
} from './roster.js'
import { routeWelcomes } from './welcome-routes.js'

/** Leaves are devices of the directory, with keys that they registered, and their users act within the group's policy. */
export class DirectoryMembership implements Membership {
  constructor(
    private readonly pool: Pool,
    private readonly config: Pick<Config, 'DOMAIN' | 'KEY_PACKAGE_MAX_LIFETIME' | 'KEY_PACKAGE_MAX_AGE'>,
    private readonly link: FederationLink,
  ) {}

  async requireOwnLeaf(
    caller: Pick<Caller, 'client' | 'deviceId'>,
    signer: Member | undefined,
    keys?: readonly Uint8Array[],
  ): Promise<void> {
    const introduced = await this.introduce(signer ? [signer] : [])
    return keys && !introduced ? requireLeafWithKey(caller, keys, signer) : requireOwnLeaf(this.pool, caller, signer)
  }

  welcomesOf({ welcomes }: Pick<Bundle, 'welcomes'>): readonly Welcome[] {
    return welcomes.map(({ value }) => value)
  }

  lifetimes(): LifetimeLimits {
    return lifetimeLimits(new Date(), this.config.KEY_PACKAGE_MAX_LIFETIME)
  }

  async changesOf(context: CommitContext, before: PublicGroupState, verdict: ValidCommit): Promise<DeviceChanges> {
    await this.introduce([...verdict.added, ...verdict.updated])
    const devices = await devicesOfLeaves(this.pool, context.group.gid, leavesNamed(before, verdict))
    checkNewLeaves(before, verdict, devices)
    const { directory } = devices
    const removed = removalsOf(context, before, verdict, directory)
    if (!verdict.external) refuseAgainstPolicy(context, verdict, removed, directory)
    const latest = new Date(Date.now() + this.config.KEY_PACKAGE_MAX_AGE)
    const routes = routeWelcomes(context.bundle.welcomes, verdict, directory, latest)
    const added = verdict.external ? [{ deviceId: context.caller.deviceId, welcome: null }] : routes.added
    return { added, removed: removed.map(({ deviceId, reason }) => ({ deviceId, reason })), welcomes: routes.welcomes }
  }

  async authorizeProposal(context: SubmissionContext, state: PublicGroupState, sent: SentProposal, after: Tree): Promise<void> {
    const { proposal, sender } = sent
    if (proposal.kind === 'add') return this.authorizeAdd(context, sender, memberAt(-1, proposal.keyPackage.leafNode), after)
    const reinit = proposal.kind === 'reinit'
    if (sender.kind === 'member' && (reinit || proposal.kind === 'remove')) {
      const target = proposal.kind === 'remove' ? memberOf(state, proposal.removed) : undefined
      refuseWish(context, { added: [], removed: target ? [await this.removal(context, target)] : [], reinit })
    }
  }

  private async authorizeAdd(context: SubmissionContext, sender: Sender, added: Member, after: Tree): Promise<void> {
    await this.introduce([added])
    const named = added.identity === undefined ? [] : [{ client: added.identity, publicKey: added.signatureKey }]
    const { directory, unregistered } = await devicesOfLeaves(this.pool, context.group.gid, named)
    const device = deviceOf(directory, added)
    if (device.revoked) throw new InvalidCommit('credential-revoked')
    if (unregistered) throw new InvalidCommit('credential-key')
    refuseSecondLeaf(after, [added])
    // A joiner's own Add stands under the policy for joins from outside.
    if (sender.kind === 'member') refuseWish(context, { added: [device], removed: [], reinit: false })
  }

  private async removal(
    { group, caller, standing, pending }: SubmissionContext,
    target: Member,
  ): Promise<{ userId: bigint; reason: Ended }> {
    const named = target.identity === undefined ? [] : [{ client: target.identity, publicKey: null }]
    const { directory } = await devicesOfLeaves(this.pool, group.gid, named)
    const { deviceId, userId } = deviceOf(directory, target)
    const by = {
      committerUserId: caller.userId,
      proposer: caller.userId,
      mayThrowOut: mayThrowOut(standing.policy, standing.admin),
      pending: pending.find((one) => one.deviceId === deviceId)?.reason,
    }
    return { userId, reason: removalReason(userId, by) }
  }

  /** Leaves of other providers' users are held against what those providers vouch for. @returns whether there were any */
  private async introduce(leaves: readonly Pick<Member, 'identity' | 'signatureKey'>[]): Promise<boolean> {
    if (!this.link.peers) return false
    const claims = leaves.flatMap(({ identity, signatureKey }) => {
      const domain = identity === undefined ? undefined : parseClientUri(identity)?.domain
      if (identity === undefined || domain === undefined || domain === this.config.DOMAIN) return []
      const publicKey = canonicalKey(signatureKey)?.publicKey
      return publicKey ? [{ client: identity, publicKey }] : []
    })
    if (claims.length > 0) await this.link.peers.introduce(claims)
    return claims.length > 0
  }
}

/** A Proposal of a member who could not commit it would be carried out by the next member who can. */
function refuseWish({ caller, standing }: SubmissionContext, wish: Omit<RosterChange, 'by'>): void {
  const judged = judgeRosterChange(standing.policy, { by: { userId: caller.userId, admin: standing.admin }, ...wish })
  if (judged.kind === 'refused') throw new PolicyRefusal(judged.why)
}

/** What a Commit does by value is for the committer to answer for; what it carries out by reference was authorized when it was proposed. */
function refuseAgainstPolicy(
  { caller, standing }: CommitContext,
  verdict: ValidCommit,
  removed: readonly Removal[],
  directory: Directory,
): void {
  const adds = verdict.proposals.filter(({ proposal }) => proposal.kind === 'add')
  const added = verdict.added.map((member, at) => ({ ...deviceOf(directory, member), authorized: adds[at]?.byReference === true }))
  const reinit = verdict.proposals.some(({ proposal, byReference }) => proposal.kind === 'reinit' && !byReference)
  const by = { userId: caller.userId, admin: standing.admin }
  const judged = judgeRosterChange(standing.policy, { by, added, removed, reinit })
  if (judged.kind === 'refused') throw new PolicyRefusal(judged.why)
}

interface Removal extends RemovedDevice {
  userId: bigint
  /** Somebody proposed it. */
  authorized: boolean
}

/** An external Commit removes the joiner's own former leaf and no other (RFC 9420 §12.4.3.2), but for those who remove themselves. */
function removalsOf(context: CommitContext, state: PublicGroupState, verdict: ValidCommit, directory: Directory): Removal[] {
  const { standing, caller } = context
  const reasons = new Map(context.pending.map(({ deviceId, reason }) => [deviceId, reason]))
  return verdict.removed.map((member) => {
    const { deviceId, userId } = deviceOf(directory, member)
    const sent = verdict.proposals.find((one) => one.proposal.kind !== 'update' && changedLeaf(one) === member.leafIndex)
    const authorized = sent?.byReference === true
    if (verdict.external && sent?.proposal.kind === 'remove') {
      if (member.identity !== caller.client) throw new InvalidCommit('external-commit-remove')
      return { deviceId, userId, reason: 'resync', authorized }
    }
    const by = {
      committerUserId: caller.userId,
      proposer: proposerOf(state, sent?.sender, directory),
      mayThrowOut: authorized || mayThrowOut(standing.policy, standing.admin),
      pending: reasons.get(deviceId),
    }
    return { deviceId, userId, reason: removalReason(userId, by), authorized }
  })
}

function proposerOf(state: PublicGroupState, sender: Sender | undefined, directory: Directory): Proposer {
  if (sender?.kind === 'external') return 'server'
  const [identity] = sender?.kind === 'member' ? identityAt(state, sender.leafIndex) : []
  return (identity === undefined ? undefined : directory.get(identity)?.userId) ?? 'unseen'
}
