import { Injectable } from '@nestjs/common'
import type { ForeignClaim } from '../../../authentication/directory/foreign-devices.repository.js'
import type { Caller } from '../../../authentication/session/caller.js'
import type { Federation, HubCall } from '../../../groups/home/federation-link.js'
import type { Home } from '../../../groups/home/homes.repository.js'
import { RemoteHub } from '../../follower/remote-hub.js'
import { providerOf } from '../../inbound/peer.js'
import { DraftClient } from '../draft-client.js'
import { DraftHub, UnsupportedByHub } from './draft-hub.js'

/** Other hubs, each in the dialect that it speaks. */
@Injectable()
export class HubDialects implements Federation {
  constructor(
    private readonly client: DraftClient,
    private readonly draft: DraftHub,
    private readonly profile: RemoteHub,
  ) {}

  async call(home: Home, caller: Caller, call: HubCall): Promise<unknown> {
    return (await this.client.speaksDraft(home.hub)) ? this.draft.call(home, caller, call) : this.profile.call(home, caller, call)
  }

  async findRoom(caller: Caller, roomId: string): Promise<Home> {
    if (await this.client.speaksDraft(providerOf(roomId) ?? '')) throw new UnsupportedByHub('Looking a room up')
    return this.profile.findRoom(caller, roomId)
  }

  introduce(claims: readonly ForeignClaim[]): Promise<void> {
    return this.profile.introduce(claims)
  }
}
