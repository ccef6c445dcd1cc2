import { Controller } from '@nestjs/common'
import type { SubmitCommit, Accepted } from '../../groups/groups.dto.js'
import { GroupOperations } from '../../groups/operations/group-operations.js'
import type { Problem } from '../../platform/http/problem.js'
import {
  decodeExtendedSubmitRequest,
  decodeExtendedUpdateRequest,
  encodeExtendedSubmitResponse,
  encodeExtendedUpdateResponse,
  type ExtendedUpdateRequest,
} from '../../protocol/mimi/microchat/submissions.js'
import type { SubmitMessageResponse } from '../../protocol/mimi/submit-message.js'
import type { UpdateRequest, UpdateResponse } from '../../protocol/mimi/update.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused, PeerPost, RoomVariable } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { encodeRelayedProblem } from '../relayed-problem.js'
import { ForeignDevices } from './foreign-devices.js'
import { HostedRooms } from './hosted-rooms.js'
import { RoomAccess } from './room-access.js'

/** Messages and handshakes of followers' users, judged and ordered like those of our own. */
@Controller(PEER_PATH)
export class SubmissionsController {
  constructor(
    private readonly rooms: HostedRooms,
    private readonly access: RoomAccess,
    private readonly devices: ForeignDevices,
    private readonly operations: GroupOperations,
  ) {}

  @PeerPost('submitMessage/:roomId')
  async submit(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const { base: sent, incarnation } = decodedOrRefused(decodeExtendedSubmitRequest(body))
    const { message, sendingUri } = sent
    const found = await this.access.find(peer, roomId, message)
    if (found.kind === 'refused') return notSubmitted(found.problem)
    const caller = await this.devices.caller(peer, sendingUri)
    try {
      const accepted = await this.operations.perform('message', caller, found.groupId, { message, incarnation })
      const base = { code: 'accepted', acceptedAtMs: BigInt(Date.now()) } as const
      return encodeExtendedSubmitResponse({ base, accepted, problem: new Uint8Array() })
    } catch (thrown) {
      return notSubmitted(thrown)
    }
  }

  @PeerPost('update/:roomId')
  async update(@CurrentPeer() peer: Peer, @RoomVariable() roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeExtendedUpdateRequest(body))
    const { base } = request
    const first = base.kind === 'commit' ? base.commit : base.proposals[0]
    if (first === undefined) return updated(undefined)
    const found = await this.access.find(peer, roomId, first)
    if (found.kind === 'refused') return notUpdated(found.problem)
    const caller = await this.devices.caller(peer, request.sendingClient)
    try {
      if (base.kind === 'commit') return updated(await this.operations.perform('commit', caller, found.groupId, commitOf(base, request)))
      let accepted: Accepted | undefined
      for (const proposal of base.proposals)
        accepted = await this.operations.perform('proposal', caller, await this.rooms.groupOf(roomId, proposal), {
          proposal,
          incarnation: request.incarnation,
        })
      return updated(accepted)
    } catch (thrown) {
      return notUpdated(thrown)
    }
  }
}

function notSubmitted(thrown: unknown): Uint8Array {
  const { problem, bytes } = encodeRelayedProblem(thrown)
  return encodeExtendedSubmitResponse({ base: submitRefusal(problem), accepted: undefined, problem: bytes })
}

function notUpdated(thrown: unknown): Uint8Array {
  const { problem, bytes } = encodeRelayedProblem(thrown)
  return encodeExtendedUpdateResponse({ base: updateRefusal(problem), accepted: undefined, problem: bytes })
}

function updated(accepted: Accepted | undefined): Uint8Array {
  const base = { code: 'success', description: '', acceptedAtMs: BigInt(Date.now()) } as const
  return encodeExtendedUpdateResponse({ base, accepted, problem: new Uint8Array() })
}

/** An update as a local client would submit it. */
function commitOf(base: Extract<UpdateRequest, { kind: 'commit' }>, request: ExtendedUpdateRequest): SubmitCommit {
  const { commit, welcome, groupInfo, tree } = base
  const welcomes = [...(welcome ? [welcome] : []), ...request.moreWelcomes]
  return {
    commit,
    ...(welcomes.length > 0 && { welcomes }),
    ...(groupInfo && { group_info: groupInfo }),
    ...(tree.kind === 'full' && { ratchet_tree: tree.tree }),
    ...(request.removed.length > 0 && { removed: [...request.removed] }),
    ...(request.letGo?.length && { let_go: [...request.letGo] }),
    ...(request.reinit && { reinit: true }),
    ...(request.successor && { successor: request.successor }),
    ...(request.joinCode !== undefined && { join_code: request.joinCode }),
    incarnation: request.incarnation,
  }
}

/** The draft's answer for what a client gets as a problem. */
function updateRefusal({ type, detail, extension }: Problem): UpdateResponse {
  const currentEpoch = extension['current_epoch']
  if (typeof currentEpoch === 'bigint' && !type.startsWith('proposals-')) return { code: 'wrong-epoch', description: detail, currentEpoch }
  return { code: 'not-allowed', description: `${type}: ${detail}`.slice(0, 500) }
}

function submitRefusal({ type, extension }: Problem): SubmitMessageResponse {
  const currentEpoch = extension['current_epoch']
  return type === 'stale-epoch' && typeof currentEpoch === 'bigint' ? { code: 'epoch-too-old', currentEpoch } : { code: 'not-allowed' }
}
