import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { lifetimeLimits } from '../../key-packages/check-key-package.js'
import type { Config } from '../../platform/config/config.js'
import { parseClientUri } from '../../protocol/identifiers.js'
import type { LifetimeLimits } from '../../protocol/mls/leaf-node-rules.js'
import type { Sender } from '../../protocol/mls/structures/public-message.js'
import type { Welcome } from '../../protocol/mls/structures/welcome.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import type { Member, PublicGroupState } from '../../protocol/public-group/state.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import type { CommitContext } from '../commit/commit-context.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import type { FederationLink } from '../home/federation-link.js'
import type { Bundle } from '../input/bundle.js'
import { judgeRosterChange, removalReason, type Proposer } from '../policy/policy.js'
import type { RemovedDevice } from '../repository/submissions.repository.js'
import type { DeviceChanges, Membership } from './membership.js'
import { checkNewLeaves, deviceOf, identityAt, leavesNamed, requireLeafWithKey, requireOwnLeaf, type Directory } from './roster.js'
import { devicesOfLeaves } from './roster.repository.js'
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
    const removed = removedDevices(context, before, verdict, directory)
    if (!verdict.external) refuseAgainstPolicy(context, verdict, removed, directory)
    const latest = new Date(Date.now() + this.config.KEY_PACKAGE_MAX_AGE)
    const routes = routeWelcomes(context.bundle.welcomes, verdict, directory, latest)
    const added = verdict.external ? [{ deviceId: context.caller.deviceId, welcome: null }] : routes.added
    return { added, removed, welcomes: routes.welcomes }
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

function refuseAgainstPolicy(
  { caller, standing }: CommitContext,
  verdict: ValidCommit,
  removed: readonly RemovedDevice[],
  directory: Directory,
): void {
  const userOf = new Map([...directory.values()].map(({ deviceId, userId }) => [deviceId, userId]))
  const judged = judgeRosterChange(standing.policy, {
    committer: { userId: caller.userId, admin: standing.admin },
    added: verdict.added.map((member) => deviceOf(directory, member)),
    removed: removed.map(({ deviceId, reason }) => ({ userId: userOf.get(deviceId) ?? 0n, reason })),
    reinit: verdict.reinit !== undefined,
  })
  if (judged.kind === 'refused') throw new PolicyRefusal(judged.why)
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
