import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { POOL } from '../../platform/postgres/sql.js'
import { encodeSharedGroup } from '../../protocol/mimi/microchat/shared-group.js'
import { providerOf } from '../inbound/peer.js'
import { SignedClient, type PeerAnswer } from '../outbound/signed-client.js'
import { sharedGroupOf } from './disclosure.repository.js'

const NOTHING = new Uint8Array()

/** Look-ups of other providers' users. */
@Injectable()
export class UserLookups {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly client: SignedClient,
  ) {}

  /**
   * The body of a look-up for a device here that is in a group of a third provider with the user.
   * @param groupId where they meet; a body without a group, if the device is not in it, or its hub is this server
   */
  async bodyFor(caller: Caller, groupId: Uint8Array | undefined): Promise<Uint8Array> {
    const shared = groupId && (await sharedGroupOf(this.pool, groupId, caller.deviceId))
    return shared ? encodeSharedGroup(shared) : NOTHING
  }

  deviceList(user: string, body: Uint8Array = NOTHING): Promise<PeerAnswer> {
    return this.client.send({ peer: providerOf(user) ?? '', endpoint: 'deviceList', argument: user, body })
  }
}
