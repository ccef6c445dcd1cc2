import { Controller, Module, Param } from '@nestjs/common'
import { AppModule } from '../../src/app/app.module.js'
import { FederationModule } from '../../src/federation/federation.module.js'
import { PeerPost } from '../../src/federation/inbound/peer-route.js'
import { CurrentPeer, PeerBody, requireUriOfPeer, type Peer } from '../../src/federation/inbound/peer.js'
import { PlatformModule } from '../../src/platform/platform.module.js'

/** An endpoint that shows who asked and does nothing else. */
@Controller('mimi/v1')
class PeerEchoController {
  @PeerPost('echo/:room')
  echo(@CurrentPeer() peer: Peer, @Param('room') room: string, @PeerBody() body: Uint8Array): Uint8Array {
    if (room.startsWith('mimi:')) requireUriOfPeer(peer, room, 'room')
    return Buffer.concat([Buffer.from(`${peer.domain} `), body])
  }
}

@Module({ imports: [AppModule, PlatformModule, FederationModule], controllers: [PeerEchoController] })
export class PeerEchoModule {}
