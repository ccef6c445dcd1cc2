import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { Problem } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { NotTheHub } from '../inbound/inbound.problems.js'
import type { Peer } from '../inbound/peer.js'
import { HostedRooms } from './hosted-rooms.js'
import { isOpenTo } from './hub.repository.js'

export type Found = { readonly kind: 'group'; readonly groupId: Uint8Array } | { readonly kind: 'refused'; readonly problem: Problem }

/**
 * What a peer wants of a room is judged before anything about who wants it is fetched or written down: otherwise a peer would have this server
 * fetch users that it invents, for rooms that it invents.
 */
@Injectable()
export class RoomAccess {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly rooms: HostedRooms,
  ) {}

  /** Whether the group is in that room, here, and the peer has or had members in it, or anybody may join it. */
  hasGroup({ domain }: Peer, roomId: string, groupId: Uint8Array): Promise<boolean> {
    return isOpenTo(this.pool, { roomId, groupId, domain })
  }

  /** The group that a message names. Refused unless it is one of those, or with `undecodable`. */
  async find(peer: Peer, roomId: string, message: Uint8Array): Promise<Found> {
    try {
      const groupId = await this.rooms.groupOf(roomId, message)
      return (await this.hasGroup(peer, roomId, groupId)) ? { kind: 'group', groupId } : { kind: 'refused', problem: new NotTheHub() }
    } catch (error) {
      if (error instanceof Problem) return { kind: 'refused', problem: error }
      throw error
    }
  }
}
