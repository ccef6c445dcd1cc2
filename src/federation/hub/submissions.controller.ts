import { Controller } from '@nestjs/common'
import { GroupOperations } from '../../groups/operations/group-operations.js'
import { encodeExtendedSubmitResponse } from '../../protocol/mimi/microchat/submissions.js'
import { decodeSubmitMessageRequest } from '../../protocol/mimi/submit-message.js'
import { encodeRelayedProblem } from '../relayed-problem.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { PeerPost } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { RoomVariable } from '../inbound/path-variables.js'
import { ForeignDevices } from './foreign-devices.js'
import { RoomsHere } from './rooms-here.js'
import { submitRefusal } from './submitted.js'

/** Application messages of followers' users. */
@Controller(PEER_PATH)
export class SubmissionsController {
  constructor(
    private readonly rooms: RoomsHere,
    private readonly devices: ForeignDevices,
    private readonly operations: GroupOperations,
  ) {}

  @PeerPost('submitMessage/:roomId')
  async submit(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const { message, sendingUri } = decodedOrRefused(decodeSubmitMessageRequest(body))
    const caller = await this.devices.caller(peer, sendingUri)
    try {
      const accepted = await this.operations.perform('message', caller, await this.rooms.groupOf(roomId, message), { message })
      const base = { code: 'accepted', acceptedAtMs: BigInt(Date.now()) } as const
      return encodeExtendedSubmitResponse({ base, accepted, problem: new Uint8Array() })
    } catch (thrown) {
      const { problem, bytes } = encodeRelayedProblem(thrown)
      return encodeExtendedSubmitResponse({ base: submitRefusal(problem), accepted: undefined, problem: bytes })
    }
  }
}
