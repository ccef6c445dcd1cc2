import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import type { X509Credentials } from '../../authentication/x509/x509-credentials.js'
import { lifetimeLimits } from '../../key-packages/check-key-package.js'
import type { Config } from '../../platform/config/config.js'
import { isGroupId } from '../../protocol/identifiers.js'
import type { LifetimeLimits } from '../../protocol/mls/leaf-node-rules.js'
import type { Extension } from '../../protocol/mls/structures/extension.js'
import type { LeafNode } from '../../protocol/mls/structures/leaf-node.js'
import type { ReInit } from '../../protocol/mls/structures/proposal.js'
import type { Sender } from '../../protocol/mls/structures/public-message.js'
import type { Welcome } from '../../protocol/mls/structures/welcome.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import { changedLeaf, type SentProposal } from '../../protocol/public-group/proposals/pending-proposals.js'
import { memberAt, type Member, type PublicGroupState } from '../../protocol/public-group/state.js'
import type { CommitContext, SubmissionContext } from '../commit/commit-context.js'
import type { FederationLink } from '../home/federation-link.js'
import { GroupExists, InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import type { Bundle } from '../input/bundle.js'
import { removalReason, type Ended, type Proposer } from '../authority/rules.js'
import { isGroupIdTaken } from '../repository/groups.repository.js'
import type { DeviceChanges, Membership } from './membership.js'
import {
  introduceLeaves,
  judgeCertificates,
  namedLeaf,
  refuseFaults,
  requireJoinersKey,
  requirementOf,
  withCredentialFaults,
} from './certified-leaves.js'
import { devicesOfLeaves, type Device, type NamedLeaf } from './roster.repository.js'
import {
  addsOf,
  changedLeaves,
  checkNewLeaves,
  deviceOf,
  identityAt,
  leavesNamed,
  memberOf,
  requireLeafWithKey,
  requireOwnLeaf,
  type Directory,
} from './roster.js'
import { refuseAgainstPolicy, refuseEarlyUpdates, refuseJoinersData, refuseWish, type Removal } from './roster-policy.js'
import { deviceProposing, refuseVoid, unusable } from './void-proposals.js'
import { routeWelcomes } from './welcome-routes.js'

/** Leaves are devices of the directory, with keys that they registered, and their users act within the group's policy. */
export class DirectoryMembership implements Membership {
  constructor(
    private readonly pool: Pool,
    private readonly config: Pick<Config, 'DOMAIN' | 'KEY_PACKAGE_MAX_LIFETIME' | 'KEY_PACKAGE_MAX_AGE' | 'APP_DATA_UPDATES'>,
    private readonly link: FederationLink,
    private readonly x509: Pick<X509Credentials, 'faultsOf'>,
  ) {}

  async requireOwnLeaf(
    caller: Pick<Caller, 'client' | 'deviceId'>,
    signer: Member | undefined,
    keys?: readonly Uint8Array[],
  ): Promise<void> {
    const claimed = signer?.identity === undefined ? [] : [{ client: signer.identity, publicKey: signer.signatureKey }]
    const introduced = await this.introduce(claimed)
    return keys && !introduced ? requireLeafWithKey(caller, keys, signer) : requireOwnLeaf(this.pool, caller, signer)
  }

  welcomesOf({ welcomes }: Pick<Bundle, 'welcomes'>): readonly Welcome[] {
    return welcomes.map(({ value }) => value)
  }

  lifetimes(): LifetimeLimits {
    return lifetimeLimits(new Date(), this.config.KEY_PACKAGE_MAX_LIFETIME)
  }

  readonly credentialFaults = (leaves: readonly NamedLeaf[]) => this.x509.faultsOf(leaves)

  async changesOf(context: CommitContext, before: PublicGroupState, verdict: ValidCommit): Promise<DeviceChanges> {
    refuseEarlyUpdates(this.config, verdict.proposals)
    if (verdict.external) refuseJoinersData(context, verdict)
    const changed = changedLeaves(verdict)
    await this.introduce(changed)
    const { identities } = context.standing.policy
    const requirement = requirementOf(identities, before.groupContext.extensions, verdict.next.groupContext.extensions)
    const byKey = requirement !== 'none' || verdict.external
    const devices = await devicesOfLeaves(this.pool, context.group.gid, leavesNamed(before, verdict), byKey)
    const gone = new Set(verdict.removed.flatMap(({ identity }) => identity ?? []))
    const judged = await judgeCertificates(changed, devices, requirement, gone, this.config.DOMAIN)
    const certificates = withCredentialFaults(judged, await this.credentialFaults(changed))
    await refuseVoid(this.pool, context, before, verdict.proposals, unusable(devices, certificates))
    checkNewLeaves(before, verdict, devices)
    refuseFaults(certificates)
    if (verdict.external) requireJoinersKey(context, verdict, certificates)
    const { directory } = devices
    const removed = removalsOf(context, before, verdict, directory)
    if (!verdict.external) refuseAgainstPolicy(context, verdict, removed, directory)
    // Whether the id is taken, the statement that accepts the Commit asks.
    if (verdict.reinit) refuseUnusableId(verdict.reinit)
    const latest = new Date(Date.now() + this.config.KEY_PACKAGE_MAX_AGE)
    const routes = routeWelcomes(context.bundle.welcomes, verdict, directory, latest)
    const added = verdict.external
      ? [{ deviceId: context.caller.deviceId, userId: context.caller.userId, welcome: null }]
      : withProposers(before, verdict, directory, routes.added)
    const left = removed.map(({ deviceId, reason }) => ({ deviceId, reason }))
    return { added, removed: left, welcomes: routes.welcomes, certificates: [...certificates.rows.values()] }
  }

  async authorizeProposal(context: SubmissionContext, state: PublicGroupState, sent: SentProposal): Promise<Device | undefined> {
    const { proposal, sender } = sent
    refuseEarlyUpdates(this.config, [sent])
    const { extensions: required } = state.groupContext
    if (proposal.kind === 'add') return this.authorizeAdd(context, sender, proposal.keyPackage.leafNode, required)
    if (sender.kind !== 'member') return undefined
    if (proposal.kind === 'update') await this.deviceBehind(context, proposal.leafNode, required, identityAt(state, sender.leafIndex))
    // Who does not have it can commit nothing until it is committed.
    if (proposal.kind === 'psk' && !context.standing.admin) throw new PolicyRefusal('Only admins may propose a PSK.')
    const target = proposal.kind === 'remove' ? memberOf(state, proposal.removed) : undefined
    const removed = target ? [await this.removal(context, target)] : []
    const extensions = proposal.kind === 'group-context-extensions' || proposal.kind === 'app-data-update'
    refuseWish(context, { added: [], removed, reinit: proposal.kind === 'reinit', extensions })
    if (proposal.kind === 'reinit') {
      refuseUnusableId(proposal)
      if (await isGroupIdTaken(this.pool, proposal.groupId)) throw new GroupExists()
    }
    return undefined
  }

  private async authorizeAdd(context: SubmissionContext, sender: Sender, added: LeafNode, required: readonly Extension[]): Promise<Device> {
    const device = await this.deviceBehind(context, added, required)
    // A joiner's own Add stands under the policy for joins from outside.
    if (sender.kind === 'member') refuseWish(context, { added: [device], removed: [], reinit: false })
    return device
  }

  /**
   * What a Commit would ask of a leaf that it brings (`checkNewLeaves`).
   * @param required extensions of the GroupContext @param before the identity of the leaf that it replaces
   */
  private async deviceBehind(
    { group, standing }: SubmissionContext,
    node: LeafNode,
    required: readonly Extension[],
    [before]: readonly string[] = [],
  ): Promise<Device> {
    const member = memberAt(-1, node)
    if (before !== undefined && before !== member.identity) throw new InvalidCommit('credential-changed')
    const named = namedLeaf(node)
    await this.introduce(named)
    const requirement = requirementOf(standing.policy.identities, required)
    const devices = await devicesOfLeaves(this.pool, group.gid, named, requirement !== 'none')
    const device = deviceOf(devices.directory, member)
    if (device.revoked) throw new InvalidCommit('credential-revoked')
    if (devices.unregistered.size > 0) throw new InvalidCommit('credential-key')
    const judged = await judgeCertificates(named, devices, requirement, new Set(), this.config.DOMAIN)
    refuseFaults(withCredentialFaults(judged, await this.credentialFaults(named)))
    return device
  }

  private async removal(
    { group, caller, standing, pending }: SubmissionContext,
    target: Member,
  ): Promise<{ userId: bigint; reason: Ended; admin: boolean }> {
    const named = target.identity === undefined ? [] : [{ client: target.identity, publicKey: null }]
    const { directory } = await devicesOfLeaves(this.pool, group.gid, named)
    const { deviceId, userId, admin } = deviceOf(directory, target)
    const by = {
      committerUserId: caller.userId,
      proposer: caller.userId,
      admin: standing.admin,
      pending: pending.find((one) => one.deviceId === deviceId)?.reason,
    }
    return { userId, admin, reason: removalReason(userId, by) }
  }

  private introduce(leaves: readonly NamedLeaf[]): Promise<boolean> {
    return introduceLeaves(this.link, this.config.DOMAIN, leaves)
  }
}

/** Who wants each in: of those that were proposed, who did; who asked to be added wants that itself. */
function withProposers(
  before: PublicGroupState,
  verdict: ValidCommit,
  directory: Directory,
  added: DeviceChanges['added'],
): DeviceChanges['added'] {
  const adds = addsOf(verdict)
  return added.map((device, at) => {
    const sent = adds[at]
    if (!sent?.byReference) return device
    return { ...device, proposedBy: deviceProposing(before, sent.sender, { directory })?.userId ?? device.userId }
  })
}

/** A ReInit whose successor nobody could create would end the group for good. */
function refuseUnusableId({ groupId }: ReInit): void {
  if (!isGroupId(groupId)) throw new InvalidCommit('group-id-length')
}

/** An external Commit removes the joiner's own former leaf and no other (RFC 9420 §12.4.3.2), but for those who remove themselves. */
function removalsOf(context: CommitContext, state: PublicGroupState, verdict: ValidCommit, directory: Directory): Removal[] {
  const { standing, caller } = context
  const reasons = new Map(context.pending.map(({ deviceId, reason }) => [deviceId, reason]))
  return verdict.removed.map((member) => {
    const { deviceId, userId, admin } = deviceOf(directory, member)
    const sent = verdict.proposals.find((one) => one.proposal.kind !== 'update' && changedLeaf(one) === member.leafIndex)
    if (verdict.external && sent?.proposal.kind === 'remove') {
      if (member.identity !== caller.client) throw new InvalidCommit('external-commit-remove')
      return { deviceId, userId, admin, reason: 'resync', authorized: false }
    }
    const proposer = sent?.byReference ? deviceProposing(state, sent.sender, { directory }) : undefined
    const unseen = sent?.byReference ? 'unseen' : caller.userId
    const proposerId: Proposer = sent?.sender.kind === 'external' ? 'server' : (proposer?.userId ?? unseen)
    const by = {
      committerUserId: caller.userId,
      proposer: proposerId,
      admin: (proposer ?? standing).admin,
      pending: reasons.get(deviceId),
    }
    return { deviceId, userId, admin, reason: removalReason(userId, by), authorized: sent?.byReference === true }
  })
}
