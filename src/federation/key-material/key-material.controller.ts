import { Controller } from '@nestjs/common'
import { PEER_PATH } from '../identity/endpoints.js'
import { PeerPost } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { KeyMaterialAnswers } from './key-material-answers.js'

/** KeyPackages for other providers: as the hub of a room, or for a hub. */
@Controller(PEER_PATH)
export class KeyMaterialController {
  constructor(private readonly answers: KeyMaterialAnswers) {}

  @PeerPost('keyMaterial/:targetUser')
  answer(@CurrentPeer() peer: Peer, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    return this.answers.of(peer, body)
  }
}
