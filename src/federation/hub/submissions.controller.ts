import { Controller } from '@nestjs/common'
import type { SubmitCommit, Accepted } from '../../groups/groups.dto.js'
import { GroupOperations } from '../../groups/operations/group-operations.js'
import {
  decodeExtendedSubmitRequest,
  decodeExtendedUpdateRequest,
  encodeExtendedSubmitResponse,
  encodeExtendedUpdateResponse,
  type ExtendedUpdateRequest,
} from '../../protocol/mimi/microchat/submissions.js'
import type { UpdateRequest } from '../../protocol/mimi/update.js'
import { DraftSubmissions } from '../draft/draft-submissions.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused, PeerPost, RoomVariable } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { encodeRelayedProblem } from '../relayed-problem.js'
import { ForeignDevices } from './foreign-devices.js'
import { HostedRooms } from './hosted-rooms.js'
import { commitOf, submitRefusal, updateRefusal } from './submission-answers.js'

/** Messages and handshakes of followers' users, judged and ordered like those of our own. */
@Controller(PEER_PATH)
export class SubmissionsController {
  constructor(
    private readonly rooms: HostedRooms,
    private readonly devices: ForeignDevices,
    private readonly operations: GroupOperations,
    private readonly drafts: DraftSubmissions,
  ) {}

  @PeerPost('submitMessage/:roomId')
  async submit(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    if (peer.dialect === 'draft') return this.drafts.submit(peer, roomId, body)
    const { base: sent, incarnation } = decodedOrRefused(decodeExtendedSubmitRequest(body))
    const { message, sendingUri } = sent
    const caller = await this.devices.caller(peer, sendingUri)
    try {
      const accepted = await this.operations.perform('message', caller, await this.rooms.groupOf(roomId, message), {
        message,
        incarnation,
      })
      const base = { code: 'accepted', acceptedAtMs: BigInt(Date.now()) } as const
      return encodeExtendedSubmitResponse({ base, accepted, problem: new Uint8Array() })
    } catch (thrown) {
      const { problem, bytes } = encodeRelayedProblem(thrown)
      return encodeExtendedSubmitResponse({ base: submitRefusal(problem), accepted: undefined, problem: bytes })
    }
  }

  @PeerPost('update/:roomId')
  async update(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    if (peer.dialect === 'draft') return this.drafts.update(peer, roomId, body)
    const request = decodedOrRefused(decodeExtendedUpdateRequest(body))
    const caller = await this.devices.caller(peer, request.sendingClient)
    try {
      const { base } = request
      if (base.kind === 'commit') {
        const groupId = await this.rooms.groupOf(roomId, base.commit)
        return updated(await this.operations.perform('commit', caller, groupId, extendedCommitOf(base, request)))
      }
      let accepted: Accepted | undefined
      for (const proposal of base.proposals)
        accepted = await this.operations.perform('proposal', caller, await this.rooms.groupOf(roomId, proposal), {
          proposal,
          incarnation: request.incarnation,
        })
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

/** An update as a local client would submit it. */
function extendedCommitOf(base: Extract<UpdateRequest, { kind: 'commit' }>, request: ExtendedUpdateRequest): SubmitCommit {
  return {
    ...commitOf(base, request.moreWelcomes),
    ...(request.removed.length > 0 && { removed: [...request.removed] }),
    ...(request.letGo?.length && { let_go: [...request.letGo] }),
    ...(request.reinit && { reinit: true }),
    ...(request.successor && { successor: request.successor }),
    ...(request.joinCode !== undefined && { join_code: request.joinCode }),
    incarnation: request.incarnation,
  }
}
