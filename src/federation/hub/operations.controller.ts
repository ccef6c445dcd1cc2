import { Controller, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { GroupOperations } from '../../groups/operations/group-operations.js'
import { encodeCbor } from '../../platform/http/encode.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { POOL } from '../../platform/postgres/sql.js'
import { decodeOperationRequest, encodeOperationResponse, type OperationRequest } from '../../protocol/mimi/microchat/operation.js'
import { CborError, decodeCbor } from '../../protocol/strict-cbor.js'
import { encodeRelayedProblem } from '../relayed-problem.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { RoomPost, RoomVariable } from '../inbound/peer-route.js'
import { CurrentPeer, type Peer } from '../inbound/peer.js'
import { RoomBody, RoomGroups } from '../inbound/room.guard.js'
import { ForeignDevices } from './foreign-devices.js'
import { NotTheHub } from '../inbound/inbound.problems.js'
import { groupForPeer } from './hub.repository.js'

const NOTHING = new Uint8Array()

/** Calls of the client API that followers make at this hub for their users. */
@Controller(PEER_PATH)
export class OperationsController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly devices: ForeignDevices,
    private readonly operations: GroupOperations,
  ) {}

  @RoomPost('operation/:roomId', { of: 'here', read: decodeOperationRequest, groups: ({ groupId }) => [groupId] })
  async perform(
    @CurrentPeer() peer: Peer,
    @RoomVariable() _roomId: string,
    @RoomBody() { operation, client, args }: OperationRequest,
    @RoomGroups() [address]: readonly Uint8Array[],
  ): Promise<Uint8Array> {
    if (!address) throw new NotTheHub()
    if (operation === 'revoked') return this.revoked(peer, client)
    const caller = await this.devices.caller(peer, client)
    try {
      const result = await this.operations.performFor(caller, address, operation, argumentsIn(args))
      return encodeOperationResponse({ result: encodeCbor(result ?? null), problem: NOTHING })
    } catch (thrown) {
      return encodeOperationResponse({ result: NOTHING, problem: encodeRelayedProblem(thrown).bytes })
    }
  }

  /** The provider says that it does not vouch for a device any more; what it says is looked up, and a Remove proposed. */
  private async revoked(peer: Peer, client: string): Promise<Uint8Array> {
    await this.devices.refresh(peer, client)
    return encodeOperationResponse({ result: encodeCbor(null), problem: NOTHING })
  }

  /** The current group of a room, for those who may know that there is one. */
  @RoomPost('room/:roomId', { of: 'here' })
  async room(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string): Promise<Uint8Array> {
    const groupId = await groupForPeer(this.pool, roomId, peer.domain)
    if (!groupId) throw new NotTheHub()
    return encodeCbor({ room: roomId, group_id: groupId })
  }
}

function argumentsIn(args: Uint8Array): unknown {
  try {
    return decodeCbor(args)
  } catch (error) {
    if (error instanceof CborError) throw new InvalidRequest('The arguments are not CBOR.')
    throw error
  }
}
