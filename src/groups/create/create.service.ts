import { randomBytes } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Conflict, InvalidRequest } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { describeKeys } from '../external-sender/describe-keys.js'
import { ExternalSenders } from '../external-sender/external-senders.js'
import { groupCreated } from '../groups.events.js'
import { GroupExists, RoomTaken, SuccessorTaken } from '../groups.problems.js'
import { createGroup, type CreatedGroup, type Creation } from '../repository/groups.repository.js'
import { roomUri } from '../rooms/room-reference.js'
import type { CreateGroup, GroupCreated } from './create-group.dto.js'
import { Founding, type Founded } from './founding.js'

@Injectable()
export class CreateService {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly founding: Founding,
    private readonly senders: ExternalSenders,
    private readonly events: Events,
  ) {}

  async create(caller: Caller, body: CreateGroup): Promise<GroupCreated> {
    const roomId = this.room(body)
    const founded = await this.founding.examine(caller, body)
    const { context } = founded
    const creation = await createGroup(this.pool, {
      ...founded.group, groupId: context.groupId, mode: body.mode, cipherSuite: context.cipherSuite, epoch: context.epoch,
      deviceId: caller.deviceId, userId: caller.userId, roomId, successorOf: body.successor_of ?? null,
    })
    if (!('gid' in creation)) throw refusal(creation)
    if (creation.kind === 'accepted') groupCreated(this.events, body.mode, body.successor_of !== undefined)
    return this.answer(founded, body, creation)
  }

  private async answer({ context }: Founded, body: CreateGroup, { roomId, incarnation, chain }: CreatedGroup): Promise<GroupCreated> {
    const listed = await this.senders.listedIn(context)
    return {
      group_id: context.groupId, room: roomId, incarnation, epoch: context.epoch, seq: 0n, chain, mode: body.mode,
      ...(listed ? { external_senders: describeKeys(this.senders.identity, listed) } : {}),
    }
  }

  private room(body: CreateGroup): string {
    if (body.room !== undefined && body.successor_of !== undefined) throw new InvalidRequest('A successor takes the room of the group before it: leave out room.')
    const uri = roomUri(this.config.DOMAIN, body.room ?? randomBytes(16).toString('hex'))
    if (uri === undefined) throw new InvalidRequest('A room of another domain is made there.')
    return uri
  }
}

function refusal(creation: Exclude<Creation, CreatedGroup>): Error {
  switch (creation.kind) {
    case 'exists':
      return new GroupExists()
    case 'room-taken':
      return new RoomTaken()
    case 'successor-taken':
      return new SuccessorTaken(creation.successorGroupId)
    case 'predecessor':
      return new Conflict('successor_of names no frozen group of which this device is a member.')
  }
}
