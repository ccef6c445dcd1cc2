import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { decodeIncoming } from '../../platform/http/incoming-message.js'
import { Undecodable } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { isGroupId } from '../../protocol/identifiers.js'
import { findOwnGroup } from '../../groups/home/homes.repository.js'
import { NotTheHub } from '../inbound/inbound.problems.js'

/** Rooms that are at home here. */
@Injectable()
export class HostedRooms {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** The address of a group that a peer names. @param groupId in MLS @throws NotTheHub unless it is in that room, and here */
  async requireGroup(roomId: string, groupId: Uint8Array): Promise<Uint8Array> {
    const address = await this.find(roomId, groupId)
    if (!address) throw new NotTheHub()
    return address
  }

  /** The same, undefined if it is not. */
  async find(roomId: string, groupId: Uint8Array): Promise<Uint8Array | undefined> {
    const group = await findOwnGroup(this.pool, groupId)
    return group?.roomId === roomId ? group.groupId : undefined
  }
}

/** The MLS group id that a message names. @throws Undecodable for what names no group, as a Welcome or no MLSMessage */
export function groupIdOf(message: Uint8Array): Uint8Array {
  const decoded = decodeIncoming(message)
  const groupId = decoded.kind === 'decoded' && 'groupId' in decoded.value.body ? decoded.value.body.groupId : undefined
  if (groupId && isGroupId(groupId)) return groupId
  throw new Undecodable('The message names no group.')
}
