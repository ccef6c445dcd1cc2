import { Controller, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { decodeNotifyBatch } from '../../../protocol/mimi/microchat/notify-batch.js'
import { encodeNotifyResponse } from '../../../protocol/mimi/microchat/notify-response.js'
import { DraftNotify } from '../../draft/follower/draft-notify.js'
import { PEER_PATH } from '../../identity/endpoints.js'
import { decodedOrRefused, PeerPost, RoomVariable } from '../../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../../inbound/peer.js'
import { HomeElsewhere } from '../../inbound/inbound.problems.js'
import { Replicas } from './replicas.js'

/** Batches that hubs push (`notify`). */
@Controller(PEER_PATH)
export class NotifyController {
  constructor(
    private readonly replicas: Replicas,
    private readonly drafts: DraftNotify,
  ) {}

  @PeerPost('notify/:roomId')
  async notify(
    @CurrentPeer() peer: Peer,
    @RoomVariable() roomId: string,
    @PeerBody() body: Uint8Array,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Uint8Array | undefined> {
    if (peer.dialect === 'draft') {
      await this.drafts.receive(peer, roomId, body)
      void reply.status(201)
      return undefined
    }
    const batch = decodedOrRefused(decodeNotifyBatch(body))
    if (batch.roomId !== roomId) throw new HomeElsewhere()
    return encodeNotifyResponse(await this.replicas.receive(peer, batch))
  }
}
