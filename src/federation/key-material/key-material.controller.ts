import { Controller } from '@nestjs/common'
import { decodeKeyMaterialRequest } from '../../protocol/mimi/key-material.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { PeerPost, UserVariable } from '../inbound/peer-route.js'
import { MalformedBody } from '../inbound/inbound.problems.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { KeyMaterialAnswers } from './key-material.js'

/** KeyPackages for other providers: as the hub of a room, or for a hub. */
@Controller(PEER_PATH)
export class KeyMaterialController {
  constructor(private readonly answers: KeyMaterialAnswers) {}

  @PeerPost('keyMaterial/:targetUser')
  async answer(
    @CurrentPeer() peer: Peer,
    @UserVariable('targetUser') targetUser: string,
    @PeerBody() body: Uint8Array,
  ): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeKeyMaterialRequest(body))
    if (request.targetUser !== targetUser) throw new MalformedBody('the target is not the one in the path')
    return this.answers.of(peer, body)
  }
}
