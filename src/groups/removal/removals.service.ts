import { Injectable, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { clientsOf } from '../../authentication/directory/directory.repository.js'
import type { Caller } from '../../authentication/session/caller.js'
import { GroupDeleted } from '../../delivery/delivery.problems.js'
import { Hints } from '../../platform/hints/hints.js'
import { POOL } from '../../platform/postgres/sql.js'
import { type PublicGroupState, memberNamed } from '../../protocol/public-group/state.js'
import { sha256 } from '../../protocol/sha256.js'
import { notAMember, openFor } from '../access/access.js'
import { ExternalSenders } from '../external-sender/external-senders.js'
import { GroupFrozen } from '../groups.problems.js'
import { type GroupRow, findGroupByGid } from '../repository/groups.repository.js'
import { submitProposal, type SubmissionOutcome } from '../repository/submissions.repository.js'
import { PublicStates } from '../state/public-states.js'
import { RemovalNotices, type Reason } from './removal-notices.js'
import { leaveGroup, leaveReplica, pendingRemovals } from './removal.repository.js'

/** A proposal races with Commits; each round is for the epoch that was current when it began. */
const ROUNDS = 5

/**
 * Devices on their way out (§4). In a public group that lists this server as an external sender a Remove is proposed in its log; elsewhere the
 * members learn who wants to go, and commit it by themselves.
 */
@Injectable()
export class RemovalsService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly states: PublicStates,
    private readonly senders: ExternalSenders,
    private readonly hints: Hints,
    private readonly notices: RemovalNotices,
  ) {}

  /**
   * The device asks to go. Delivery ends with the acceptance; its membership ends later: nobody can commit their own Remove
   * (RFC 9420 §12.2), so the server proposes it, and another member commits.
   */
  async leave(caller: Caller, groupId: Uint8Array): Promise<{ proposed: boolean }> {
    const { group, standing } = await openFor(this.pool, groupId, caller, 'leave')
    const outcome = await leaveGroup(this.pool, group.gid, caller.deviceId)
    if (outcome === 'not-a-member') throw notAMember(standing)
    if (outcome === 'frozen') throw new GroupFrozen('reset', null)
    if (outcome !== 'accepted') throw new GroupDeleted()
    this.hints.publish([{ kind: 'inbox', deviceId: caller.deviceId }])
    return { proposed: await this.propose(group.gid, caller.deviceId, 'leave') }
  }

  /** Ends delivery from the replica of a group elsewhere, once its hub has accepted the leave. */
  async leaveReplica(caller: Caller, groupId: Uint8Array): Promise<void> {
    await leaveReplica(this.pool, groupId, caller.deviceId)
    this.hints.publish([{ kind: 'inbox', deviceId: caller.deviceId }])
  }

  /** @returns whether a Remove is in the log. Doing it twice does nothing more. */
  async propose(gid: bigint, deviceId: bigint, reason: Reason): Promise<boolean> {
    for (let round = 0; round < ROUNDS; round++) {
      const group = await findGroupByGid(this.pool, gid)
      if (!group || group.deleted || group.frozen) return false
      const outcome = await this.proposeFor(group, deviceId, reason)
      if (outcome === 'unsigned') return this.notices.tellMembers(gid, deviceId, reason)
      if (outcome === 'standing') return true
      if (outcome.kind === 'accepted') return this.notices.proposed(group, reason, outcome.seq)
      if (outcome.kind !== 'stale' && outcome.kind !== 'ahead') return outcome.kind === 'duplicate'
    }
    return this.notices.tellMembers(gid, deviceId, reason)
  }

  private async proposeFor(group: GroupRow, deviceId: bigint, reason: Reason): Promise<SubmissionOutcome | 'unsigned' | 'standing'> {
    const known = (await pendingRemovals(this.pool, group.gid)).find((pending) => pending.deviceId === deviceId)
    const again = known !== undefined && (known.reason === reason || known.reason === 'revoke')
    if (again && known.leafIndex !== null && known.proposedEpoch === group.epoch) return 'standing'
    // The tree of a private group is its members' word: one could have another removed in the server's name.
    if (group.mode === 'private') return 'unsigned'
    const { state } = await this.states.at(group)
    const leafIndex = await this.leafOf(state, deviceId)
    const bytes = leafIndex === undefined ? undefined : await this.senders.proposeRemove(state.groupContext, leafIndex)
    if (!bytes || leafIndex === undefined) return 'unsigned'
    return submitProposal(this.pool, {
      gid: group.gid,
      incarnation: group.incarnation,
      deviceId: null,
      mustBeMember: false,
      epoch: group.epoch,
      hash: sha256(bytes),
      bytes,
      pending: { deviceId, leafIndex, reason },
    })
  }

  private async leafOf(state: PublicGroupState, deviceId: bigint): Promise<number | undefined> {
    const client = (await clientsOf(this.pool, [deviceId])).get(deviceId)?.client
    return client === undefined ? undefined : memberNamed(state, client)?.leafIndex
  }
}
