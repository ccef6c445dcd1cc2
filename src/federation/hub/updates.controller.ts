import { Controller } from '@nestjs/common'
import type { Accepted } from '../../groups/groups.dto.js'
import { GroupOperations } from '../../groups/operations/group-operations.js'
import { decodeExtendedUpdateRequest, encodeExtendedUpdateResponse } from '../../protocol/mimi/microchat/submissions.js'
import { encodeRelayedProblem } from '../relayed-problem.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { PeerPost } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { RoomVariable } from '../inbound/path-variables.js'
import { ForeignDevices } from './foreign-devices.js'
import { RoomsHere } from './rooms-here.js'
import { commitOf, updateRefusal } from './submitted.js'

/** Handshakes of followers' users, judged and ordered like those of our own. */
@Controller(PEER_PATH)
export class UpdatesController {
  constructor(
    private readonly rooms: RoomsHere,
    private readonly devices: ForeignDevices,
    private readonly operations: GroupOperations,
  ) {}

  @PeerPost('update/:roomId')
  async update(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeExtendedUpdateRequest(body))
    const caller = await this.devices.caller(peer, request.sendingClient)
    try {
      const { base } = request
      if (base.kind === 'commit') {
        const groupId = await this.rooms.groupOf(roomId, base.commit)
        return updated(await this.operations.perform('commit', caller, groupId, commitOf(base, request)))
      }
      let accepted: Accepted | undefined
      for (const proposal of base.proposals)
        accepted = await this.operations.perform('proposal', caller, await this.rooms.groupOf(roomId, proposal), { proposal })
      return updated(accepted)
    } catch (thrown) {
      const { problem, bytes } = encodeRelayedProblem(thrown)
      return encodeExtendedUpdateResponse({ base: updateRefusal(problem), accepted: undefined, problem: bytes })
    }
  }
}

function updated(accepted: Accepted | undefined): Uint8Array {
  const base = { code: 'success', description: '', acceptedAtMs: BigInt(Date.now()) } as const
  return encodeExtendedUpdateResponse({ base, accepted, problem: new Uint8Array() })
}
