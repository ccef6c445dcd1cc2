import { Controller, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { Problem } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { decodeGroupInfoRequest, encodeGroupInfoRefusal, GROUP_INFO_REQUEST_LABEL } from '../../protocol/mimi/group-info.js'
import { ForeignDevices } from '../hub/foreign-devices.js'
import { currentGroupOf } from '../hub/hub.repository.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { RoomPost, RoomVariable } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, requireUriOfPeer, type Peer } from '../inbound/peer.js'
import { Requesters } from '../key-material/requesters.js'
import { SealedGroupInfo } from './sealed-group-info.js'

/** GroupInfo and tree for joiners from other providers. A room that they may not join is answered like one that does not exist. */
@Controller(PEER_PATH)
export class GroupInfoController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly requesters: Requesters,
    private readonly devices: ForeignDevices,
    private readonly sealed: SealedGroupInfo,
  ) {}

  @RoomPost('groupInfo/:roomId', { of: 'here' })
  async read(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeGroupInfoRequest(body))
    const requester = await this.requesters.of(request, GROUP_INFO_REQUEST_LABEL)
    const groupId = await currentGroupOf(this.pool, roomId)
    if (!requester || !groupId) return encodeGroupInfoRefusal('not-authorized', roomId)
    requireUriOfPeer(peer, requester.client, 'client')
    const caller = await this.devices.caller(peer, requester.client)
    try {
      return await this.sealed.seal(caller, { roomId, groupId }, request)
    } catch (error) {
      if (error instanceof Problem && [403, 404, 410].includes(error.status)) return encodeGroupInfoRefusal('not-authorized', roomId)
      throw error
    }
  }
}
