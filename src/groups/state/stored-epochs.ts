import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { HASH_OF_SUITE } from '../../protocol/mls/hashes.js'
import { decodeMessage } from '../../protocol/mls/message.js'
import type { GroupInfo } from '../../protocol/mls/structures/group-info.js'
import { addProposal, type PublicGroupState } from '../../protocol/public-group/state.js'
import { PolicyRefusal } from '../groups.problems.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { readPublicProposals } from '../repository/log.repository.js'
import { findGroupInfo, findTree } from '../repository/states.repository.js'
import { describedEpoch, treeInside } from './described-epoch.js'
import { publicMessageOf } from './public-states.js'
import { StateCache, type Shown } from './state-cache.js'
import { LargeTrees, type EncodedTree } from './trees/large-trees.js'

/**
 * What a private group shows of its current epoch, where external joins are on: its last committer's GroupInfo and tree.
 * They never change within an epoch, and hashing them can cost far more than the request that needs them, so it is done once.
 */
@Injectable()
export class StoredEpochs {
  private readonly loading = new Map<string, Promise<Shown | undefined>>()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly cache: StateCache,
    private readonly trees: LargeTrees,
  ) {}

  async find(group: GroupRow): Promise<PublicGroupState | undefined> {
    const key = `${group.gid}:${group.incarnation}:${group.epoch}`
    const shown = this.cache.shown(key) ?? (await this.loadOnce(key, group))
    if (!shown) return undefined
    const current = await this.withProposals(group, shown)
    this.cache.keep(key, current)
    return current.state
  }

  /** The same, for a join that cannot do without it. */
  async of(group: GroupRow): Promise<PublicGroupState> {
    const state = await this.find(group)
    if (!state) throw new PolicyRefusal('The group does not show its current epoch, so nobody can join it from outside.')
    return state
  }

  /** A state's tree as it is stored for joiners. */
  encodedTree(state: PublicGroupState): Promise<Uint8Array> {
    return this.trees.treeBytes(state)
  }

  private async loadOnce(key: string, group: GroupRow): Promise<Shown | undefined> {
    const begun = this.loading.get(key) ?? this.load(group).finally(() => this.loading.delete(key))
    this.loading.set(key, begun)
    return begun
  }

  private async load(group: GroupRow): Promise<Shown | undefined> {
    // A group of a suite that the server does not know takes no external joins, whatever its creator showed.
    if (!HASH_OF_SUITE.has(group.cipherSuite)) return undefined
    const groupInfo = await this.groupInfo(group)
    if (!groupInfo) return undefined
    const tree = (await this.storedTree(group)) ?? (await treeInside(this.trees, groupInfo))
    return tree && { state: await describedEpoch(this.trees, groupInfo, tree, group, 'accepted-before'), seq: 0n }
  }

  private async storedTree({ gid, epoch }: GroupRow): Promise<EncodedTree | undefined> {
    const bytes = await findTree(this.pool, gid, epoch)
    const decoded = bytes && (await this.trees.decode(bytes))
    return bytes && decoded?.kind === 'decoded' ? { bytes, nodes: decoded.value } : undefined
  }

  private async groupInfo({ gid, epoch }: GroupRow): Promise<GroupInfo | undefined> {
    const bytes = await findGroupInfo(this.pool, gid, epoch)
    const decoded = bytes && decodeMessage(bytes)
    return decoded?.kind === 'decoded' && decoded.value.wireFormat === 'group-info' ? decoded.value.body : undefined
  }

  /** A SelfRemove is public in both modes, because a joiner from outside has to commit it. */
  private async withProposals(group: GroupRow, shown: Shown): Promise<Shown> {
    const rows = await readPublicProposals(this.pool, group.gid, group.epoch, shown.seq)
    return { state: rows.map(publicMessageOf).reduce(addProposal, shown.state), seq: rows.at(-1)?.seq ?? shown.seq }
  }
}
