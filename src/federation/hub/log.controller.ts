import { Controller, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { findGroup } from '../../groups/repository/groups.repository.js'
import { POOL } from '../../platform/postgres/sql.js'
import { decodeLogRequest, encodeLogResponse } from '../../protocol/mimi/microchat/notify-response.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { RoomPost, RoomVariable } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { Batches } from '../push/batches.js'
import { HostedRooms } from './hosted-rooms.js'

/** The log for a follower that pulls what it has missed. Its cursor does not move: only acknowledged pushes move it. */
@Controller(PEER_PATH)
export class LogController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly rooms: HostedRooms,
    private readonly batches: Batches,
  ) {}

  /** A group that is not there, in another room, at home elsewhere, or not the peer's is answered like one in which it lacks nothing. */
  @RoomPost('log/:roomId', { of: 'here' })
  async read(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const { groupId, afterSeq } = decodedOrRefused(decodeLogRequest(body))
    const address = await this.rooms.find(roomId, groupId)
    const group = address && (await findGroup(this.pool, address))
    const outgoing = group && !group.deleted ? await this.batches.next(peer.domain, group.gid, { after: afterSeq }) : undefined
    return encodeLogResponse(outgoing?.batch)
  }
}
