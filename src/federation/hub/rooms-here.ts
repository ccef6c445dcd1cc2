import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { NotTheHub } from './hub.problems.js'
import { roomOfGroup } from './hub.repository.js'
import { groupIdOf } from './submitted.js'

/** Rooms that are at home here. */
@Injectable()
export class RoomsHere {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** The group that a message names. @throws NotTheHub unless it is in that room, and here */
  async groupOf(roomId: string, message: Uint8Array): Promise<Uint8Array> {
    const groupId = groupIdOf(message)
    await this.expect(roomId, groupId)
    return groupId
  }

  async expect(roomId: string, groupId: Uint8Array): Promise<void> {
    if ((await roomOfGroup(this.pool, groupId)) !== roomId) throw new NotTheHub()
  }
}
