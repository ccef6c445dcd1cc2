import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { NoConsent } from '../../key-packages/key-packages.problems.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { Unavailable } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { describeKeys } from '../external-sender/external-sender.dto.js'
import { ExternalSenders } from '../external-sender/external-senders.js'
import { shownIds } from '../home/group-ids.js'
import { groupCreated } from '../groups.events.js'
import {
  GroupExists,
  InvalidCommit,
  NotASuccessor,
  PolicyRefusal,
  RoomTaken,
  SuccessorReserved,
  SuccessorTaken,
} from '../groups.problems.js'
import {
  createGroup,
  findGroup,
  findGroupByGid,
  type CreatedGroup,
  type Creation,
  type FullAccount,
} from '../repository/groups.repository.js'
import type { CreateGroup, GroupCreated } from './create-group.dto.js'
import { hintsOfFrozen } from '../reset/resets.repository.js'
import { StorageFull } from '../usage/storage-full.js'
import { readAccountStorage } from '../usage/usage.repository.js'
import { GroupCreation, type CheckedCreation } from './group-creation.js'

/** How often a successor is judged again because policy or admins of the group before it changed between judgement and writing. */
const ATTEMPTS = 4

@Injectable()
export class CreateService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly founding: GroupCreation,
    private readonly senders: ExternalSenders,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  async create(caller: Caller, body: CreateGroup, left = ATTEMPTS): Promise<GroupCreated> {
    const roomId = this.founding.room(body)
    const founded = await this.founding.examine(caller, body)
    const { context } = founded
    const notAdded = await this.founding.countMembers(caller, founded)
    const creation = await createGroup(this.pool, {
      ...founded.group,
      groupId: context.groupId,
      mode: body.mode,
      cipherSuite: context.cipherSuite,
      epoch: context.epoch,
      deviceId: caller.deviceId,
      userId: caller.userId,
      roomId,
      successorOf: body.successor_of ?? null,
      branchOf: body.branch_of ?? null,
      quota: this.founding.quota,
    })
    if (creation.kind !== 'accepted') await notAdded()
    // Policy or admins of the group before changed while it was judged.
    if (creation.kind === 'retry' && left > 1) return this.create(caller, body, left - 1)
    if (!('gid' in creation)) throw await this.refusal(caller, creation)
    if (creation.kind === 'accepted') groupCreated(this.events, body.mode, body.successor_of !== undefined)
    // A stream that is open follows its new membership.
    const devices = [caller, ...founded.group.added].map(({ deviceId }) => deviceId)
    this.hints.publish(devices.map((deviceId) => ({ kind: 'inbox', deviceId })))
    if (creation.kind === 'accepted' && body.successor_of) await this.tellPredecessor(body.successor_of)
    return this.answer(founded, body, creation)
  }

  /** Its members, here and elsewhere, hear of the successor before they get a Welcome into it. */
  private async tellPredecessor(groupId: Uint8Array): Promise<void> {
    const old = await findGroup(this.pool, groupId)
    if (old) this.hints.publish(await hintsOfFrozen(this.pool, old.gid))
  }

  private async answer(
    { context }: CheckedCreation,
    body: CreateGroup,
    { gid, roomId, incarnation, chain }: CreatedGroup,
  ): Promise<GroupCreated> {
    const listed = await this.senders.listedIn(context)
    // Its address is another one than its id where a group of another hub has that.
    const group = await findGroupByGid(this.pool, gid)
    return {
      ...shownIds({ groupId: group?.groupId ?? context.groupId, mlsGroupId: context.groupId }),
      room: roomId,
      incarnation,
      epoch: context.epoch,
      seq: 0n,
      chain,
      mode: body.mode,
      ...(listed ? { external_senders: describeKeys(this.senders.identity, listed) } : {}),
    }
  }

  private async refusal(caller: Caller, creation: Exclude<Creation, CreatedGroup>): Promise<Error> {
    const { quota } = this.founding
    switch (creation.kind) {
      case 'account-full':
        return new StorageFull('account', { used: (await readAccountStorage(this.pool, caller.userId)).bytes, allowed: quota.bytes })
      case 'too-many-groups':
        return new StorageFull('groups', { used: (await readAccountStorage(this.pool, caller.userId)).groups, allowed: quota.groups })
      default:
        return refusal(creation)
    }
  }
}

function refusal(creation: Exclude<Creation, CreatedGroup | FullAccount>): Error {
  switch (creation.kind) {
    case 'exists':
      return new GroupExists()
    case 'room-taken':
      return new RoomTaken()
    case 'successor-taken':
      return new SuccessorTaken(creation.successorGroupId)
    case 'members-changed':
      return new InvalidCommit('founding-members')
    case 'key-package-used':
      return new InvalidCommit('key-package-used')
    case 'retry':
      return new Unavailable('The group before keeps changing; try again.')
    case 'announced':
      return new InvalidCommit('reinit-mismatch')
    case 'banned':
      return new PolicyRefusal('This user is banned from the group.')
    case 'reserved':
      return new SuccessorReserved(null)
    case 'no-consent':
      return new NoConsent()
    case 'predecessor':
      return new NotASuccessor()
  }
}
