import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { clientsOf, resolveClients } from '../../authentication/directory/directory.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseClientUri } from '../../protocol/identifiers.js'
import { hex } from '../../protocol/bytes.js'
import { keyPackageRef } from '../../protocol/mls/hashes.js'
import { memberAt } from '../../protocol/public-group/state.js'
import { bannedAmong, claimedMembers, presentAmong } from '../access/members.repository.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import { judgeRosterChange, removalReason } from '../authority/rules.js'
import { FederationLink } from '../home/federation-link.js'
import { readPublicProposals } from '../repository/log.repository.js'
import type { AddedDevice, CommitSubmission, RemovedDevice } from '../repository/submissions.repository.js'
import { MEMBERSHIP, type Membership } from '../roster/membership.js'
import { activeCertificates } from '../roster/certificates.repository.js'
import { introduceLeaves, judgeCertificates, namedLeaf, requirementOf, withCredentialFaults } from '../roster/certified-leaves.js'
import { deviceOf, requireOwnLeaf } from '../roster/roster.js'
import { devicesOfLeaves, type Device } from '../roster/roster.repository.js'
import { isExpired, mayStillJoin, namedVoid, unusable } from '../roster/void-proposals.js'
import { routeByClaims } from '../roster/welcome-routes.js'
import { describedEpoch, refuseOtherTree, treeInside } from '../state/described-epoch.js'
import { publicMessageOf } from '../state/public-states.js'
import { LargeTrees } from '../state/trees/large-trees.js'
import { checkGroupInfo } from './commit-checks.js'
import type { CommitContext, Judged } from './commit-context.js'

interface Shown {
  groupInfo: Uint8Array
  tree: Uint8Array
}

/** Joiners whose own Adds a Commit carries out, by client URI and by KeyPackageRef in hex. */
interface Asking {
  clients: ReadonlySet<string>
  refs: ReadonlySet<string>
}

type Claimed = RemovedDevice & Pick<Device, 'userId' | 'admin'>

interface Joining {
  added: readonly (AddedDevice & { userId: bigint })[]
  devices: { client: string; deviceId: bigint; userId: bigint }[]
  /** Those of them that are members. */
  present: ReadonlySet<bigint>
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
    @Inject(MEMBERSHIP) private readonly membership: Membership,
    private readonly trees: LargeTrees,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly link: FederationLink,
  ) {}

  async judge(context: CommitContext): Promise<Judged> {
    const { group, standing, bundle, pending, caller } = context
    checkGroupInfo(context, bundle.reinit)
    const asked = await this.waitingJoiners(context)
    const joining = await this.joining(context, asked)
    const leaving = await this.leaving(context)
    const users = joining.devices.map(({ userId }) => userId)
    const banned = await bannedAmong(this.pool, group.gid, users)
    const verdict = judgeRosterChange(standing.policy, {
      by: { userId: caller.userId, admin: standing.admin },
      added: joining.devices.map(({ client, userId }) => ({ userId, banned: banned.has(userId), authorized: asked.clients.has(client) })),
      removed: leaving,
      reinit: bundle.reinit,
    })
    if (verdict.kind === 'refused') throw new PolicyRefusal(verdict.why)
    const certificates = standing.policy.identities === 'certified' ? await this.certificatesOf(joining.devices) : []
    const shown =
      standing.policy.externalJoin === 'none' || bundle.reinit
        ? undefined
        : await this.trees.chargeTo(caller.user, () => this.shownEpoch(context))
    const gone = new Set(leaving.map(({ deviceId }) => deviceId))
    if (joining.added.some(({ deviceId }) => joining.present.has(deviceId) && !gone.has(deviceId)))
      throw new InvalidCommit('one-leaf-per-client')
    return {
      external: false,
      ...freshOf(bundle, asked),
      added: joining.added,
      putIn: joining.devices.filter(({ client, userId }) => userId !== caller.userId && !asked.clients.has(client)).map(deviceIdOf),
      removed: leaving.map(({ deviceId, reason }) => ({ deviceId, reason })),
      welcomes: joining.welcomes,
      certificates,
      groupInfo: shown?.groupInfo ?? null,
      tree: shown?.tree ?? null,
      claimedRemoved: [...new Set([...bundle.removed, ...bundle.letGo])],
      ...{ reinit: bundle.reinit, announced: bundle.successor ?? null },
      // By leaf index the server signs only what it has followed itself. Of an earlier release there may be leaves that members showed.
      followups: [],
      unsigned: pending.flatMap(({ deviceId, leafIndex }) => (leafIndex === null ? [] : [deviceId])),
      states: undefined,
    }
  }

  private async joining({ group, bundle }: CommitContext, asked: Asking): Promise<Joining> {
    if (bundle.welcomes.length === 0) return { added: [], devices: [], present: new Set(), welcomes: [] }
    const { added, welcomes } = await routeByClaims(this.pool, bundle.welcomes, group.cipherSuite)
    const deviceIds = added.map(({ deviceId }) => deviceId)
    const [devices, present] = [await this.activeDevices(deviceIds), await presentAmong(this.pool, group.gid, deviceIds)]
    const users = new Map(devices.map(({ deviceId, userId }) => [deviceId, userId]))
    const byThemselves = new Set(devices.flatMap(({ client, deviceId }) => (asked.clients.has(client) ? [deviceId] : [])))
    const described = added.map((one) => {
      const userId = users.get(one.deviceId) ?? 0n
      return { ...one, userId, ...(byThemselves.has(one.deviceId) && { proposedBy: userId }) }
    })
    return { added: described, devices, present, welcomes }
  }

  /** The leaves are for the members to see; of whom the Welcomes are for, the server knows the device. @throws InvalidCommit */
  private async certificatesOf(devices: Joining['devices']): Promise<CommitSubmission['certificates']> {
    const here = devices.filter(({ client }) => parseClientUri(client)?.domain === this.config.DOMAIN)
    const certificates = await activeCertificates(this.pool, here.map(deviceIdOf))
    if (certificates.length < here.length) throw new InvalidCommit('device-certificate-missing')
    return certificates
  }

  private async activeDevices(deviceIds: readonly bigint[]): Promise<Joining['devices']> {
    const names = [...(await clientsOf(this.pool, deviceIds)).values()].map(({ client }) => client)
    const devices = await resolveClients(this.pool, names)
    if ([...devices.values()].some(({ revoked }) => revoked)) throw new InvalidCommit('credential-revoked')
    return [...devices].map(([client, { deviceId, userId }]) => ({ client, deviceId, userId }))
  }

  /**
   * Clients whose own Add waits and is carried out by this Commit, as its Welcomes show: the policy for joins from outside let them ask, and any
   * member may let them in. From the log: the state that shows them too costs the hashes of a whole tree.
   * @throws ProposalsVoid
   */
  private async waitingJoiners(context: CommitContext): Promise<Asking> {
    const { group, bundle } = context
    const used = new Set(bundle.welcomes.flatMap(({ value }) => value.refs.map(hex)))
    const rows = used.size > 0 ? await readPublicProposals(this.pool, group.gid, group.epoch, 0n) : []
    const waiting = rows.flatMap((row) => {
      const { sender, content } = publicMessageOf(row)
      if (sender.kind !== 'new-member-proposal' || content.kind !== 'proposal' || content.proposal.kind !== 'add') return []
      const { keyPackage } = content.proposal
      const ref = hex(keyPackageRef(keyPackage.cipherSuite, keyPackage.bytes) ?? new Uint8Array())
      return used.has(ref) ? [{ ref, bytes: row.bytes, proposal: content.proposal, member: memberAt(-1, keyPackage.leafNode) }] : []
    })
    const requirement = requirementOf(context.standing.policy.identities)
    const leaves = waiting.flatMap(({ proposal }) => namedLeaf(proposal.keyPackage.leafNode))
    await introduceLeaves(this.link, this.config.DOMAIN, leaves)
    const devices = await devicesOfLeaves(this.pool, group.gid, leaves, requirement !== 'none')
    const judged = await judgeCertificates(leaves, devices, requirement, new Set(), this.config.DOMAIN)
    const certificates = withCredentialFaults(judged, await this.membership.credentialFaults(leaves))
    const { directory, unregistered } = unusable(devices, certificates)
    const voided: Uint8Array[] = []
    for (const { member, proposal, bytes } of waiting) {
      const registered = !unregistered.has(member.identity ?? '')
      const valid = !isExpired(proposal, this.membership.lifetimes())
      if (
        !valid ||
        !(await mayStillJoin(this.pool, context, { ...deviceOf(directory, member), client: member.identity ?? '' }, registered))
      )
        voided.push(bytes)
    }
    if (voided.length > 0) throw await namedVoid(this.pool, context, voided)
    return { clients: new Set(leaves.map(({ client }) => client)), refs: new Set(waiting.map(({ ref }) => ref)) }
  }

  /** Whom the committer says to remove or to let go. Only those may be let go who asked, or were revoked. */
  private async leaving({ group, bundle, caller, pending, standing }: CommitContext): Promise<Claimed[]> {
    const removed = new Set(bundle.removed)
    const claimed = [...new Set([...bundle.removed, ...bundle.letGo])]
    const devices = await claimedMembers(this.pool, group.gid, claimed)
    const reasons = new Map(pending.map(({ deviceId, reason }) => [deviceId, reason]))
    return claimed.map((client) => {
      const device = devices.get(client)
      if (!device) throw new InvalidCommit('remove-member')
      if (device.deviceId === caller.deviceId) throw new InvalidCommit('remove-committer')
      const asked = reasons.get(device.deviceId)
      const decides = removed.has(client)
      if (!decides && asked === undefined) throw new InvalidCommit('let-go')
      const proposer = decides ? caller.userId : ('server' as const)
      const by = { committerUserId: caller.userId, proposer, admin: standing.admin, pending: asked }
      return { ...device, reason: removalReason(device.userId, by) }
    })
  }

  /** The new epoch as the committer shows it to joiners; its GroupInfo must be signed by the committer's own leaf. */
  private async shownEpoch({ group, bundle, caller }: CommitContext): Promise<Shown> {
    const { groupInfo } = bundle
    if (!groupInfo) throw new InvalidCommit('group-info-missing')
    const tree = (await bundle.tree?.()) ?? (await treeInside(this.trees, groupInfo.value))
    if (!tree) throw new InvalidCommit('ratchet-tree-missing')
    const expected = { groupId: group.mlsGroupId, cipherSuite: group.cipherSuite, epoch: group.epoch + 1n }
    // Before anything is hashed: whose leaf signs shows in the tree as it came.
    const { signer } = groupInfo.value
    const leaf = tree.nodes.leaves[signer]
    await requireOwnLeaf(this.pool, caller, leaf && memberAt(signer, leaf))
    const state = await describedEpoch(this.trees, groupInfo.value, tree, expected, 'leaves-unverified')
    const served = await this.trees.treeBytes(state)
    refuseOtherTree(groupInfo.value, served)
    return { groupInfo: groupInfo.bytes, tree: served }
  }
}

function deviceIdOf({ deviceId }: { deviceId: bigint }): bigint {
  return deviceId
}

/** What the Commit spends itself: not what those have spent who asked to join. Each ref was found by what this server handed out. */
function freshOf({ welcomes }: CommitContext['bundle'], asked: Asking): Pick<Judged, 'freshRefs' | 'freshDevices'> {
  const refs = welcomes.flatMap(({ value }) => value.refs)
  return { freshRefs: refs.filter((ref) => !asked.refs.has(hex(ref))), freshDevices: null }
}
