import { Controller } from '@nestjs/common'
import { decodeNotifyBatch, type NotifyBatch } from '../../../protocol/mimi/microchat/notify-batch.js'
import { encodeNotifyResponse } from '../../../protocol/mimi/microchat/notify-response.js'
import { PEER_PATH } from '../../identity/endpoints.js'
import { RoomPost, RoomVariable } from '../../inbound/peer-route.js'
import { CurrentPeer, type Peer } from '../../inbound/peer.js'
import { RoomBody } from '../../inbound/room.guard.js'
import { Replicas } from './replicas.js'

/** Batches that hubs push (`notify`). */
@Controller(PEER_PATH)
export class NotifyController {
  constructor(private readonly replicas: Replicas) {}

  @RoomPost('notify/:roomId', { of: 'sender', read: decodeNotifyBatch, room: ({ roomId }) => roomId })
  async notify(@CurrentPeer() peer: Peer, @RoomVariable() _roomId: string, @RoomBody() batch: NotifyBatch): Promise<Uint8Array> {
    return encodeNotifyResponse(await this.replicas.receive(peer, batch))
  }
}
