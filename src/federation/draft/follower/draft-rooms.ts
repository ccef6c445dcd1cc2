import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { numberOf } from '../../../platform/limits/described-limit.js'
import { CHANGES_WAITING, RowQueues } from '../../../platform/postgres/row-queues.js'
import { POOL, transaction, type Sql } from '../../../platform/postgres/sql.js'
import { lockDraftRoom } from './draft-replica.repository.js'
import type { DraftRoom } from './draft-room.js'

/**
 * What is stored of rooms whose hubs speak nothing but the draft: of one room one piece after the other, in one transaction each. Who waits for a room
 * holds no connection meanwhile, and the rooms of one hub hold a few together.
 */
@Injectable()
export class DraftRooms {
  private readonly queues = new RowQueues(1, numberOf(CHANGES_WAITING))

  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** @throws Unavailable if too many wait; what `work` throws, and then nothing is stored */
  run<T>(room: DraftRoom, work: (sql: Sql) => Promise<T>): Promise<T> {
    const alone = async (sql: Sql) => {
      // Other nodes store, too.
      await lockDraftRoom(sql, room.roomId)
      return work(sql)
    }
    return this.queues.run(room.roomId, () => transaction(this.pool, alone, { row: `draft hub ${room.hub}` }))
  }
}
