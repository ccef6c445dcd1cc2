import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { decodeIncoming } from '../../platform/http/incoming-message.js'
import { Undecodable } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { isGroupId } from '../../protocol/identifiers.js'
import { NotTheHub } from '../inbound/inbound.problems.js'
import { roomOfGroup } from './hub.repository.js'

/** Rooms that are at home here. */
@Injectable()
export class HostedRooms {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** The group that a message names. @throws NotTheHub unless it is in that room, and here */
  async groupOf(roomId: string, message: Uint8Array): Promise<Uint8Array> {
    const groupId = groupIdOf(message)
    await this.requireGroup(roomId, groupId)
    return groupId
  }

  /** @throws NotTheHub unless the group is in that room, and here */
  async requireGroup(roomId: string, groupId: Uint8Array): Promise<void> {
    if ((await roomOfGroup(this.pool, groupId)) !== roomId) throw new NotTheHub()
  }
}

/** @throws Undecodable for what names no group, as a Welcome or no MLSMessage */
function groupIdOf(message: Uint8Array): Uint8Array {
  const decoded = decodeIncoming(message)
  const groupId = decoded.kind === 'decoded' && 'groupId' in decoded.value.body ? decoded.value.body.groupId : undefined
  if (groupId && isGroupId(groupId)) return groupId
  throw new Undecodable('The message names no group.')
}
