import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../authentication/session/caller.js'
import { findGroup } from '../../groups/repository/groups.repository.js'
import { PublicStates } from '../../groups/state/public-states.js'
import { decodeIncoming } from '../../platform/http/incoming-message.js'
import { Forbidden } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { ForeignDevices } from '../hub/foreign-devices.js'
import { NotTheHub } from '../inbound/inbound.problems.js'
import { requireUriOfPeer, type Peer } from '../inbound/peer.js'
import { clientsIn } from './shown-clients.js'
import { VouchedClients } from './vouched-clients.js'
import { memberClientOf } from './vouched.repository.js'

/** Which device of a follower's user has sent something: the draft's bodies do not say. */
@Injectable()
export class DraftSenders {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly states: PublicStates,
    private readonly vouched: VouchedClients,
    private readonly devices: ForeignDevices,
  ) {}

  /**
   * A user stands for any of its devices in the group; the message shows none, and is for the members to judge.
   * @param uri of a user, as the draft has it, or of a client
   * @throws Forbidden, ClientUnknown
   */
  async ofPost(peer: Peer, groupId: Uint8Array, uri: string): Promise<Caller> {
    const client = parseUserUri(uri) ? await memberClientOf(this.pool, groupId, uri) : uri
    if (client === undefined) throw new Forbidden('The sender has no device in the group.')
    await this.vouched.confirm(peer.domain, client)
    return this.devices.caller(peer, client)
  }

  /** The client that a handshake is signed by, with the keys written down that its provider shows. @throws Forbidden, ForeignDomain */
  async ofHandshake(peer: Peer, groupId: Uint8Array, message: Uint8Array): Promise<Caller> {
    const group = await findGroup(this.pool, groupId)
    const decoded = decodeIncoming(message)
    if (!group || decoded.kind === 'malformed') throw new NotTheHub()
    if (group.mode === 'private') throw new Forbidden('The handshakes of this room are private, which the draft has no form for.')
    const { state } = await this.states.at(group)
    const shown = clientsIn(decoded.value, state)
    if (!shown) throw new Forbidden('The handshake shows no sender.')
    requireUriOfPeer(peer, shown.sender, 'sender')
    await this.vouched.vouch(peer.domain, shown.clients)
    return this.devices.caller(peer, shown.sender)
  }
}
