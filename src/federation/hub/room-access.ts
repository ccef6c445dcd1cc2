import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import type { Peer } from '../inbound/peer.js'
import { isOpenTo } from './hub.repository.js'

/**
 * What a peer wants of a room is judged before anything about who wants it is fetched or written down: otherwise a peer would have this server
 * fetch users that it invents, for rooms in which it has no part.
 */
@Injectable()
export class RoomAccess {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** Whether the peer has or had members in a group at home here, or anybody may join it. */
  hasGroup({ domain }: Peer, groupId: Uint8Array): Promise<boolean> {
    return isOpenTo(this.pool, groupId, domain)
  }
}
