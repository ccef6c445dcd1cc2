import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { clientsOf, resolveClients } from '../../authentication/directory/directory.repository.js'
import { POOL } from '../../platform/postgres/sql.js'
import { hex } from '../../protocol/bytes.js'
import { keyPackageRef } from '../../protocol/mls/hashes.js'
import { memberAt, type PublicGroupState } from '../../protocol/public-group/state.js'
import { bannedAmong, claimedMembers } from '../access/members.repository.js'
import { ExternalSenders, followupsFor } from '../external-sender/external-senders.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import { judgeRosterChange, mayThrowOut, removalReason } from '../authority/rules.js'
import { readPublicProposals } from '../repository/log.repository.js'
import type { AddedDevice, CommitSubmission, RemovedDevice } from '../repository/submissions.repository.js'
import { requireOwnLeaf } from '../roster/roster.js'
import type { Device } from '../roster/roster.repository.js'
import { routeByClaims } from '../roster/welcome-routes.js'
import { describedEpoch, refuseOtherTree, treeInside } from '../state/described-epoch.js'
import { publicMessageOf } from '../state/public-states.js'
import { LargeTrees } from '../state/trees/large-trees.js'
import { checkGroupInfo } from './commit-checks.js'
import type { CommitContext, Judged } from './commit-context.js'

interface Shown {
  state: PublicGroupState
  groupInfo: Uint8Array
  tree: Uint8Array
}

/** Joiners whose own Adds wait, by client URI and by KeyPackageRef in hex. */
interface Asking {
  clients: ReadonlySet<string>
  refs: ReadonlySet<string>
}
const NOBODY_ASKS: Asking = { clients: new Set(), refs: new Set() }

interface Joining {
  added: readonly (AddedDevice & { userId: bigint })[]
  devices: { client: string; deviceId: bigint; userId: bigint }[]
  welcomes: CommitSubmission['welcomes']
}

/**
 * Members' Commits of a private group, which are PrivateMessages: whom they add shows in the Welcomes, whom they remove
 * is what the bundle claims, and the claim is in the log for the members to compare (§4).
 */
@Injectable()
export class PrivateCommitValidator {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly senders: ExternalSenders,
    private readonly trees: LargeTrees,
  ) {}

  async judge(context: CommitContext): Promise<Judged> {
    const { group, standing, bundle, pending, caller } = context
    checkGroupInfo(context, bundle.reinit)
    const joining = await this.joining(context)
    const leaving = await this.leaving(context)
    const users = joining.devices.map(({ userId }) => userId)
    const banned = await bannedAmong(this.pool, group.gid, users)
    const asked = joining.devices.length > 0 ? await this.waitingJoiners(context) : NOBODY_ASKS
    const verdict = judgeRosterChange(standing.policy, {
      by: { userId: caller.userId, admin: standing.admin },
      added: joining.devices.map(({ client, userId }) => ({ userId, banned: banned.has(userId), authorized: asked.clients.has(client) })),
      removed: leaving,
      reinit: bundle.reinit,
    })
    if (verdict.kind === 'refused') throw new PolicyRefusal(verdict.why)
    const shown =
      standing.policy.externalJoin === 'none' || bundle.reinit
        ? undefined
        : await this.trees.chargeTo(caller.user, () => this.shownEpoch(context))
    const gone = new Set(leaving.map(({ deviceId }) => deviceId))
    const { followups, unsigned } = await followupsFor(
      shown?.state,
      pending.filter(({ deviceId }) => !gone.has(deviceId)),
      (next, leafIndex) => this.senders.proposeRemove(next, leafIndex),
    )
    return {
      external: false,
      freshRefs: bundle.welcomes.flatMap(({ value }) => value.refs).filter((ref) => !asked.refs.has(hex(ref))),
      added: joining.added,
      removed: leaving.map(({ deviceId, reason }) => ({ deviceId, reason })),
      welcomes: joining.welcomes,
      groupInfo: shown?.groupInfo ?? null,
      tree: shown?.tree ?? null,
      claimedRemoved: bundle.removed,
      reinit: bundle.reinit,
      followups,
      unsigned,
      states: undefined,
    }
  }

  private async joining({ group, bundle }: CommitContext): Promise<Joining> {
    if (bundle.welcomes.length === 0) return { added: [], devices: [], welcomes: [] }
    const { added, welcomes } = await routeByClaims(this.pool, bundle.welcomes, group.cipherSuite)
    const devices = await this.activeDevices(added.map(({ deviceId }) => deviceId))
    const users = new Map(devices.map(({ deviceId, userId }) => [deviceId, userId]))
    return { added: added.map((one) => ({ ...one, userId: users.get(one.deviceId) ?? 0n })), devices, welcomes }
  }

  private async activeDevices(deviceIds: readonly bigint[]): Promise<Joining['devices']> {
    const names = [...(await clientsOf(this.pool, deviceIds)).values()].map(({ client }) => client)
    const devices = await resolveClients(this.pool, names)
    if ([...devices.values()].some(({ revoked }) => revoked)) throw new InvalidCommit('credential-revoked')
    return [...devices].map(([client, { deviceId, userId }]) => ({ client, deviceId, userId }))
  }

  /** Clients whose own Add waits for a Commit: the policy for joins from outside let them ask, and any member may let them in. */
  private async waitingJoiners({ group, standing }: CommitContext): Promise<Asking> {
    if (standing.policy.externalJoin === 'none') return NOBODY_ASKS
    // From the log: the state that shows them too costs the hashes of a whole tree.
    const waiting = (await readPublicProposals(this.pool, group.gid, group.epoch, 0n)).map(publicMessageOf)
    const packages = waiting.flatMap(({ sender, content }) =>
      sender.kind === 'new-member-proposal' && content.kind === 'proposal' && content.proposal.kind === 'add'
        ? [content.proposal.keyPackage]
        : [],
    )
    return {
      clients: new Set(packages.flatMap(({ leafNode }) => memberAt(-1, leafNode).identity ?? [])),
      refs: new Set(packages.map(({ bytes, cipherSuite }) => hex(keyPackageRef(cipherSuite, bytes) ?? new Uint8Array()))),
    }
  }

  private async leaving({
    group,
    bundle,
    caller,
    pending,
    standing,
  }: CommitContext): Promise<(RemovedDevice & Pick<Device, 'userId' | 'admin'>)[]> {
    const claimed = [...new Set(bundle.removed)]
    if (claimed.length === 0) return []
    const devices = await claimedMembers(this.pool, group.gid, claimed)
    const reasons = new Map(pending.map(({ deviceId, reason }) => [deviceId, reason]))
    return claimed.map((client) => {
      const device = devices.get(client)
      if (!device) throw new InvalidCommit('remove-member')
      if (device.deviceId === caller.deviceId) throw new InvalidCommit('remove-committer')
      const by = {
        committerUserId: caller.userId,
        proposer: 'unseen' as const,
        mayThrowOut: mayThrowOut(standing.policy, standing, device),
        pending: reasons.get(device.deviceId),
      }
      return { ...device, reason: removalReason(device.userId, by) }
    })
  }

  /** The new epoch as the committer shows it to joiners; its GroupInfo must be signed by the committer's own leaf. */
  private async shownEpoch({ group, bundle, caller }: CommitContext): Promise<Shown> {
    const { groupInfo } = bundle
    if (!groupInfo) throw new InvalidCommit('group-info-missing')
    const tree = (await bundle.tree?.()) ?? (await treeInside(this.trees, groupInfo.value))
    if (!tree) throw new InvalidCommit('ratchet-tree-missing')
    const expected = { groupId: group.groupId, cipherSuite: group.cipherSuite, epoch: group.epoch + 1n }
    // Before anything is hashed: whose leaf signs shows in the tree as it came.
    const { signer } = groupInfo.value
    const leaf = tree.nodes.leaves[signer]
    await requireOwnLeaf(this.pool, caller, leaf && memberAt(signer, leaf))
    const state = await describedEpoch(this.trees, groupInfo.value, tree, expected, 'leaves-unverified')
    const served = await this.trees.treeBytes(state)
    refuseOtherTree(groupInfo.value, served)
    return { state, groupInfo: groupInfo.bytes, tree: served }
  }
}
