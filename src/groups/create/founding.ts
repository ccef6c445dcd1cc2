import { randomBytes } from 'node:crypto'
import { isGroupId } from '../../protocol/identifiers.js'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { WrongDomain } from '../../authentication/authentication.problems.js'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { HASH_OF_SUITE } from '../../protocol/mls/hashes.js'
import { sameBytes } from '../../protocol/mls/same-bytes.js'
import type { GroupContext } from '../../protocol/mls/structures/group-context.js'
import { serialize } from '../../protocol/public-group/snapshot.js'
import { members, treeBytes, type Member, type PublicGroupState } from '../../protocol/public-group/state.js'
import { openAsMember } from '../access/access.js'
import { InvalidCommit, PolicyRefusal } from '../groups.problems.js'
import { decodeGroupInfo, decodeTree, type EncodedGroupInfo } from '../input/bundle.js'
import type { GroupPolicy } from '../policy/policy.js'
import { InitialPolicy } from '../policy/policy.dto.js'
import { initialPolicy } from '../policy/policy.service.js'
import type { NewGroup } from '../repository/groups.repository.js'
import { roomUri } from '../rooms/room-reference.js'
import { MEMBERSHIP, type Membership } from '../roster/membership.js'
import { describedEpoch, hasExternalPub, refuseOtherTree, treeInside } from '../state/described-epoch.js'
import { LargeTrees, type EncodedTree } from '../state/trees/large-trees.js'
import { Reinitialized } from '../state/reinitialized.js'
import type { CreateGroup } from './create-group.dto.js'
import { unseenFounder } from './unseen-founder.js'

export interface Founded {
  context: GroupContext
  group: Pick<
    NewGroup,
    'groupInfo' | 'tree' | 'snapshot' | 'externalJoin' | 'joinCodeHash' | 'addMembers' | 'removeMembers' | 'reportsToReset'
  >
}

/** What a new group has to be (RFC 9420 §11): epoch 0, and one member, which is the device that creates it. */
@Injectable()
export class Founding {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(MEMBERSHIP) private readonly membership: Membership,
    private readonly reinitialized: Reinitialized,
    private readonly trees: LargeTrees,
  ) {}

  async examine(caller: Caller, body: CreateGroup): Promise<Founded> {
    const groupInfo = decodeGroupInfo(body.group_info, this.config)
    const { groupContext: context } = groupInfo.value
    const { state, founders } = await this.trees.paidBy(caller.user, () => this.seen(body, groupInfo))
    await this.checkOnlyMember(caller, founders)
    const policy = await this.policy(caller, body, context)
    const joinable = policy.externalJoin !== 'none'
    if (joinable && !state) throw new InvalidCommit('cipher-suite')
    if (joinable && !hasExternalPub(groupInfo.value)) throw new InvalidCommit('group-info-external-pub')
    const open = body.mode === 'public'
    return {
      context,
      group: {
        groupInfo: groupInfo.bytes,
        tree: !open && joinable && state ? treeBytes(state) : null,
        snapshot: open && state ? serialize(state) : null,
        externalJoin: policy.externalJoin,
        joinCodeHash: policy.joinCodeHash,
        addMembers: policy.addMembers,
        removeMembers: policy.removeMembers,
        reportsToReset: policy.reportsToReset,
      },
    }
  }

  /** A history of the official test vectors begins in the middle of a group's life. */
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

  /** What the server sees of the group: its state, but for a private one of a suite that it does not know, and its members. */
  private async seen(
    body: CreateGroup,
    groupInfo: EncodedGroupInfo,
  ): Promise<{ state: PublicGroupState | undefined; founders: readonly Member[] }> {
    const tree = await this.tree(body, groupInfo)
    const { groupId, epoch, cipherSuite } = groupInfo.value.groupContext
    if (!isGroupId(groupId)) throw new InvalidCommit('group-id-length')
    if (body.mode === 'private' && !HASH_OF_SUITE.has(cipherSuite))
      return { state: undefined, founders: [await unseenFounder(groupInfo.value, tree.nodes)] }
    const expected = { groupId, epoch: this.conformance ? epoch : 0n }
    const state = await describedEpoch(this.trees, groupInfo.value, tree, expected, 'full')
    return { state, founders: members(state) }
  }

  private async tree(body: CreateGroup, groupInfo: EncodedGroupInfo): Promise<EncodedTree> {
    const inside = await treeInside(this.trees, groupInfo.value)
    if (inside && body.mode === 'public' && !this.conformance) throw new InvalidCommit('group-info-without-tree')
    const tree = body.ratchet_tree ? await decodeTree(body.ratchet_tree, this.config, this.trees) : inside
    if (!tree) throw new InvalidCommit('ratchet-tree-missing')
    if (body.mode === 'private') refuseOtherTree(groupInfo.value, tree.bytes)
    // RFC 9420 §11: before anything is hashed, for a large tree costs, and blanks around one leaf are no new group's.
    const founded = groupInfo.value.groupContext.epoch === 0n
    if (!this.conformance && founded && tree.nodes.leaves.length !== 1) throw new InvalidCommit('one-founding-member')
    return tree
  }

  private async checkOnlyMember(caller: Caller, [only, ...others]: readonly Member[]): Promise<void> {
    if (others.length > 0 && !this.conformance) throw new InvalidCommit('one-founding-member')
    await this.membership.refuseForeignLeaf(caller, only)
  }

  /** A successor keeps the policy, unless an admin of the group before it decides otherwise. */
  private async policy(caller: Caller, body: CreateGroup, context: GroupContext): Promise<GroupPolicy> {
    if (!body.successor_of) return initialPolicy(body.policy ?? InitialPolicy.parse({}))
    const { group, standing } = await openAsMember(this.pool, body.successor_of, caller)
    const announced = await this.reinitialized.announcedBy(group)
    if (announced && !(sameBytes(announced.groupId, context.groupId) && announced.cipherSuite === context.cipherSuite))
      throw new InvalidCommit('reinit-mismatch')
    if (body.policy && !standing.admin)
      throw new PolicyRefusal('Only an admin of the group before it may change the policy of a successor.')
    return body.policy ? initialPolicy(body.policy) : standing.policy
  }
}
