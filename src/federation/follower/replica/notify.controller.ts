import { Controller } from '@nestjs/common'
import { decodeNotifyBatch } from '../../../protocol/mimi/microchat/notify-batch.js'
import { encodeNotifyResponse } from '../../../protocol/mimi/microchat/notify-response.js'
import { PEER_PATH } from '../../identity/endpoints.js'
import { decodedOrRefused, PeerPost, RoomVariable } from '../../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../../inbound/peer.js'
import { HomeElsewhere, NotTheHub } from '../../inbound/inbound.problems.js'
import { Replicas } from './replicas.js'

/** Batches that hubs push (`notify`). */
@Controller(PEER_PATH)
export class NotifyController {
  constructor(private readonly replicas: Replicas) {}

  @PeerPost('notify/:roomId')
  async notify(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    // Batches are of the profile of this server.
    if (peer.dialect === 'draft') throw new NotTheHub()
    const batch = decodedOrRefused(decodeNotifyBatch(body))
    if (batch.roomId !== roomId) throw new HomeElsewhere()
    return encodeNotifyResponse(await this.replicas.receive(peer, batch))
  }
}
