import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { NotFound } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { openGroup, type Access } from '../access/access.js'
import { authorizeExternalJoin, refuseUnknown } from '../commit/commit-checks.js'
import { EpochAhead } from '../groups.problems.js'
import { GroupLimits } from '../limits/group-limits.js'
import { findGroupInfo, findTree, waitingEpochs } from '../repository/states.repository.js'
import { PublicStates, StateNotKept, type GroupAt } from '../state/public-states.js'
import { LargeTrees } from '../state/trees/large-trees.js'

/** What joiners need besides a Welcome: the GroupInfo for an external join, and the tree of their first epoch. */
@Injectable()
export class InfoService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly states: PublicStates,
    private readonly trees: LargeTrees,
    private readonly limits: GroupLimits,
  ) {}

  async groupInfo(caller: Caller, groupId: Uint8Array, wanted: bigint | undefined, joinCode: string | undefined) {
    const { group, epoch } = await this.readable(caller, groupId, wanted, joinCode)
    const stored = await findGroupInfo(this.pool, group.gid, epoch)
    if (!stored) throw new NotFound('No GroupInfo is kept for this epoch.')
    return { epoch, mode: group.mode, incarnation: group.incarnation, group_info: stored }
  }

  async tree(caller: Caller, groupId: Uint8Array, wanted: bigint | undefined, joinCode: string | undefined) {
    const { group, epoch } = await this.readable(caller, groupId, wanted, joinCode)
    if (group.mode === 'public') {
      const rebuilt = () => this.rebuiltTree({ ...group, epoch })
      // What all need is kept in memory; a past epoch is rebuilt for the one who asks for it.
      return { epoch, ratchet_tree: await (epoch < group.epoch ? this.trees.chargeTo(caller.user, rebuilt) : rebuilt()) }
    }
    const stored = await findTree(this.pool, group.gid, epoch)
    if (!stored) throw new NotFound('No tree is kept for this epoch.')
    return { epoch, ratchet_tree: stored }
  }

  private async rebuiltTree(group: GroupAt): Promise<Uint8Array> {
    try {
      return await this.trees.treeBytes((await this.states.at(group)).state)
    } catch (error) {
      if (error instanceof StateNotKept) throw new NotFound('No tree is kept for this epoch.')
      throw error
    }
  }

  /** Members read from the epoch they joined at, the invited the epoch of their Welcome, who may join from outside the current one. */
  private async readable(
    caller: Caller,
    groupId: Uint8Array,
    wanted: bigint | undefined,
    joinCode: string | undefined,
  ): Promise<Access & { epoch: bigint }> {
    const access = await openGroup(this.pool, groupId, caller).catch((error: unknown) =>
      refuseUnknown(this.limits, caller, joinCode, error),
    )
    const { group, standing } = access
    const epoch = wanted ?? group.epoch
    if (standing.member && epoch > group.epoch) throw new EpochAhead(group.epoch)
    if (standing.member && epoch >= standing.member.joinEpoch) return { ...access, epoch }
    if ((await waitingEpochs(this.pool, group.gid, caller.deviceId)).includes(epoch)) return { ...access, epoch }
    if (!standing.member) await authorizeExternalJoin(this.pool, this.limits, caller, access, joinCode)
    if (epoch !== group.epoch) throw new NotFound('This device was not a member in this epoch.')
    return { ...access, epoch }
  }
}
