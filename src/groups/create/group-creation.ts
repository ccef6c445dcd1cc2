import { randomBytes } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { WrongDomain } from '../../authentication/authentication.problems.js'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { isGroupId } from '../../protocol/identifiers.js'
import { isGrease } from '../../protocol/mls/grease.js'
import { HASH_OF_SUITE } from '../../protocol/mls/hashes.js'
import { verifyWithLabel } from '../../protocol/mls/signature.js'
import type { GroupContext, GroupInfo } from '../../protocol/mls/structures/group-info.js'
import type { LeafNode } from '../../protocol/mls/structures/leaf-node.js'
import type { TreeNodes } from '../../protocol/mls/structures/ratchet-tree.js'
import { type PublicGroupState, memberAt } from '../../protocol/public-group/state.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import { decodeGroupInfo, decodeTree, decodeWelcomes, type EncodedGroupInfo } from '../input/bundle.js'
import { bytesIn, GroupLimits } from '../limits/group-limits.js'
import { InitialPolicy } from '../policy/policy.dto.js'
import type { GroupPolicy } from '../policy/policy.js'
import { initialPolicy, STAYS_CERTIFIED } from '../policy/policy.service.js'
import type { NewGroup } from '../repository/groups.repository.js'
import { roomUri } from '../rooms/rooms.dto.js'
import { MEMBERSHIP, type Membership } from '../roster/membership.js'
import { describedEpoch, hasExternalPub, refuseOtherTree, treeInside } from '../state/described-epoch.js'
import { LargeTrees, type EncodedTree } from '../state/trees/large-trees.js'
import type { CreateGroup } from './create-group.dto.js'
import { FoundingMembers, type Invited } from './founding-members.js'
import { beginsWithMembers, refuseOtherParameters, type Origin } from './origin.js'

/** What a request to create a group was found to ask for, checked. */
export interface CheckedCreation {
  context: GroupContext
  group: Pick<
    NewGroup,
    | 'groupInfo'
    | 'tree'
    | 'snapshot'
    | 'externalJoin'
    | 'joinCodeHash'
    | 'addMembers'
    | 'removeMembers'
    | 'reportsToReset'
    | 'identities'
    | 'policyVersion'
    | 'added'
    | 'welcomes'
    | 'usedRefs'
  >
}

/** What the server sees of a new group: its members, and its state unless it is private and of a suite that the server does not know. */
interface Inspected {
  state: PublicGroupState | undefined
  /** Of its members. */
  leaves: readonly LeafNode[]
  /** Undefined at epoch 0. */
  invited: Invited | undefined
}

const NOBODY: Invited = { added: [], welcomes: [], usedRefs: [] }

/**
 * Checks new groups (RFC 9420 §11). One starts at epoch 0 with its creator alone. A branch starts at epoch 1 with members of the group that it
 * branches from, and a successor after a ReInit may do either.
 */
@Injectable()
export class GroupCreation {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(MEMBERSHIP) private readonly membership: Membership,
    private readonly foundingMembers: FoundingMembers,
    private readonly trees: LargeTrees,
    private readonly limits: GroupLimits,
  ) {}

  /** What the creator may keep in all groups together, this one included. */
  get quota(): { bytes: number; groups: number } {
    return { bytes: this.config.ACCOUNT_MAX_BYTES, groups: this.config.ACCOUNT_MAX_GROUPS }
  }

  async examine(caller: Caller, body: CreateGroup): Promise<CheckedCreation> {
    await this.limits.takeWith(caller, 'creations', bytesIn(body))
    const groupInfo = decodeGroupInfo(body.group_info, this.config)
    const { groupContext: context } = groupInfo.value
    const origin = await this.foundingMembers.originOf(caller, body)
    const { state, leaves, invited } = await this.trees.chargeTo(caller.user, () => this.inspect(caller, body, groupInfo, origin))
    if (!invited) await this.checkOnlyMember(caller, leaves)
    const policy = await this.policy(caller, body, origin)
    if (!this.conformance) await this.foundingMembers.requireCertificates(leaves, policy.identities, context.extensions, origin)
    const joinable = policy.externalJoin !== 'none'
    if (joinable && !state) throw new InvalidCommit('cipher-suite')
    if (joinable && !hasExternalPub(groupInfo.value)) throw new InvalidCommit('group-info-external-pub')
    const kept = state
      ? await this.trees.chargeTo(caller.user, () => this.stateToStore(body.mode, joinable, state))
      : { tree: null, snapshot: null }
    return {
      context,
      group: {
        groupInfo: groupInfo.bytes,
        ...kept,
        externalJoin: policy.externalJoin,
        joinCodeHash: policy.joinCodeHash,
        addMembers: policy.addMembers,
        removeMembers: policy.removeMembers,
        reportsToReset: policy.reportsToReset,
        identities: policy.identities,
        policyVersion: origin?.kind === 'successor' ? origin.standing.policy.version : null,
        ...(invited ?? NOBODY),
      },
    }
  }

  /**
   * Counts those with whom it begins, the caller's other devices included.
   * @returns to be called if the group is not made after all
   * @throws RateLimited
   */
  countMembers(caller: Caller, { group }: CheckedCreation): Promise<() => Promise<void>> {
    return this.limits.additions(
      caller,
      group.added.map(({ deviceId }) => deviceId),
    )
  }

  /**
   * What to store: for a public group the snapshot to which later Commits are applied, for a private one with external joins the ratchet
   * tree, which the server could not rebuild.
   */
  private async stateToStore(
    mode: CreateGroup['mode'],
    joinable: boolean,
    state: PublicGroupState,
  ): Promise<Pick<NewGroup, 'tree' | 'snapshot'>> {
    if (mode === 'public') return { tree: null, snapshot: await this.trees.serialize(state) }
    return { tree: joinable ? await this.trees.treeBytes(state) : null, snapshot: null }
  }

  /** CONFORMANCE=on skips the checks of the first epoch and members: official test vectors start in the middle of a group's history. */
  private get conformance(): boolean {
    return this.config.CONFORMANCE === 'on'
  }

  /** The room that it belongs to: the one of the group before it, the one that was asked for, or one of its own. */
  room(body: CreateGroup): string {
    if (body.room !== undefined && body.successor_of !== undefined)
      throw new InvalidRequest('A successor takes the room of the group before it: leave out room.')
    const uri = roomUri(this.config.DOMAIN, body.room ?? randomBytes(16).toString('hex'))
    if (uri === undefined) throw new WrongDomain(this.config.DOMAIN)
    return uri
  }

  private async inspect(caller: Caller, body: CreateGroup, groupInfo: EncodedGroupInfo, origin: Origin | undefined): Promise<Inspected> {
    const { groupContext } = groupInfo.value
    const { groupId, epoch, cipherSuite } = groupContext
    const startsWithMembers = !this.conformance && beginsWithMembers(origin, groupContext)
    const expectedEpoch = this.conformance ? epoch : startsWithMembers || origin?.kind === 'branch' ? 1n : 0n
    if (epoch !== expectedEpoch) throw new InvalidCommit('group-info-epoch')
    if (origin) refuseOtherParameters(origin, groupContext)
    const tree = await this.tree(body, groupInfo)
    if (!isGroupId(groupId)) throw new InvalidCommit('group-id-length')
    if (body.mode === 'private' && !HASH_OF_SUITE.has(cipherSuite))
      return { state: undefined, leaves: [await verifyFounderOfUnknownSuite(groupInfo.value, tree.nodes)], invited: undefined }
    const welcomes = decodeWelcomes(body.welcomes ?? [], this.config)
    if (!startsWithMembers && welcomes.length > 0) throw new InvalidCommit('welcome-members')
    const invited =
      origin && startsWithMembers
        ? await this.foundingMembers.examine(caller, origin, { groupInfo: groupInfo.value, tree: tree.nodes, welcomes })
        : undefined
    const state = await describedEpoch(this.trees, groupInfo.value, tree, { groupId, epoch: expectedEpoch }, 'full')
    return { state, leaves: state.tree.leaves.toArray().filter((node) => node !== undefined), invited }
  }

  private async tree(body: CreateGroup, groupInfo: EncodedGroupInfo): Promise<EncodedTree> {
    const inside = await treeInside(this.trees, groupInfo.value)
    if (inside && body.mode === 'public' && !this.conformance) throw new InvalidCommit('group-info-without-tree')
    const tree = body.ratchet_tree ? await decodeTree(body.ratchet_tree, this.config, this.trees) : inside
    if (!tree) throw new InvalidCommit('ratchet-tree-missing')
    if (body.mode === 'private') refuseOtherTree(groupInfo.value, tree.bytes)
    // RFC 9420 §11. Before hashing, which is expensive for a large tree; a new group has exactly one leaf and no blanks.
    const startsAtEpoch0 = groupInfo.value.groupContext.epoch === 0n
    if (!this.conformance && startsAtEpoch0 && tree.nodes.leaves.length !== 1) throw new InvalidCommit('one-founding-member')
    return tree
  }

  private async checkOnlyMember(caller: Caller, [only, ...others]: readonly LeafNode[]): Promise<void> {
    if (others.length > 0 && !this.conformance) throw new InvalidCommit('one-founding-member')
    await this.membership.requireOwnLeaf(caller, only && memberAt(0, only))
  }

  /**
   * A successor keeps the policy, unless an admin of the group before it decides otherwise. A branch is a group of its own, whose members come with
   * the leaves that they have: whether they are certified, it takes from the group before.
   */
  private async policy(caller: Caller, body: CreateGroup, origin: Origin | undefined): Promise<GroupPolicy> {
    if (origin?.kind !== 'successor') {
      const policy = initialPolicy(body.policy ?? InitialPolicy.parse({}))
      if (body.policy?.identities !== undefined) return policy
      if (origin !== undefined) return { ...policy, identities: origin.standing.policy.identities }
      return (await this.foundingMembers.isListed(caller)) ? { ...policy, identities: 'certified' } : policy
    }
    const { policy, admin } = origin.standing
    if (body.policy && !admin) throw new PolicyRefusal('Only an admin of the group before it may change the policy of a successor.')
    if (policy.identities === 'certified' && body.policy?.identities === 'any') throw new PolicyRefusal(STAYS_CERTIFIED)
    return body.policy ? { ...initialPolicy(body.policy), identities: body.policy.identities ?? policy.identities } : policy
  }
}

/**
 * The only member of a new private group whose suite the server does not know. It can hash nothing with it, so the tree is
 * not verified. The GroupInfo's signature is: the public key of the leaf determines the signature scheme.
 */
export async function verifyFounderOfUnknownSuite(groupInfo: GroupInfo, { leaves }: TreeNodes): Promise<LeafNode> {
  const { groupContext, signer, tbs, signature } = groupInfo
  if (isGrease(groupContext.cipherSuite)) throw new InvalidCommit('cipher-suite')
  if (groupContext.epoch !== 0n) throw new InvalidCommit('group-info-epoch')
  const [leaf, ...others] = leaves
  if (leaf === undefined || others.length > 0) throw new InvalidCommit('one-founding-member')
  const scheme = canonicalKey(leaf.signatureKey)?.scheme
  const signed = signer === 0 && scheme !== undefined && (await verifyWithLabel(scheme, leaf.signatureKey, 'GroupInfoTBS', tbs, signature))
  if (!signed) throw new InvalidCommit('group-info-signature')
  return leaf
}
