import { Controller } from '@nestjs/common'
import type { SubmitCommit, Accepted } from '../../groups/groups.dto.js'
import { GroupOperations } from '../../groups/operations/group-operations.js'
import type { Problem } from '../../platform/http/problem.js'
import {
  decodeExtendedSubmitRequest,
  decodeExtendedUpdateRequest,
  encodeExtendedSubmitResponse,
  encodeExtendedUpdateResponse,
  type ExtendedSubmitRequest,
  type ExtendedUpdateRequest,
} from '../../protocol/mimi/microchat/submissions.js'
import type { SubmitMessageResponse } from '../../protocol/mimi/submit-message.js'
import type { UpdateRequest, UpdateResponse } from '../../protocol/mimi/update.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { NotTheHub } from '../inbound/inbound.problems.js'
import { RoomPost, RoomVariable } from '../inbound/peer-route.js'
import { CurrentPeer, type Peer } from '../inbound/peer.js'
import { RoomBody, RoomGroups } from '../inbound/room.guard.js'
import { encodeRelayedProblem } from '../relayed-problem.js'
import { ForeignDevices } from './foreign-devices.js'
import { groupIdOf } from './hosted-rooms.js'

/** Messages and handshakes of followers' users, judged and ordered like those of our own. */
@Controller(PEER_PATH)
export class SubmissionsController {
  constructor(
    private readonly devices: ForeignDevices,
    private readonly operations: GroupOperations,
  ) {}

  @RoomPost('submitMessage/:roomId', { of: 'here', read: decodeExtendedSubmitRequest, groups: ({ base }) => [groupIdOf(base.message)] })
  async submit(
    @CurrentPeer() peer: Peer,
    @RoomVariable() _roomId: string,
    @RoomBody() { base: { message, sendingUri }, incarnation }: ExtendedSubmitRequest,
    @RoomGroups() [address]: readonly Uint8Array[],
  ): Promise<Uint8Array> {
    if (!address) throw new NotTheHub()
    const caller = await this.devices.caller(peer, sendingUri)
    try {
      const accepted = await this.operations.perform('message', caller, address, { message, incarnation })
      const base = { code: 'accepted', acceptedAtMs: BigInt(Date.now()) } as const
      return encodeExtendedSubmitResponse({ base, accepted, problem: new Uint8Array() })
    } catch (thrown) {
      const { problem, bytes } = encodeRelayedProblem(thrown)
      return encodeExtendedSubmitResponse({ base: submitRefusal(problem), accepted: undefined, problem: bytes })
    }
  }

  @RoomPost('update/:roomId', { of: 'here', read: decodeExtendedUpdateRequest, groups: groupsOf })
  async update(
    @CurrentPeer() peer: Peer,
    @RoomVariable() _roomId: string,
    @RoomBody() request: ExtendedUpdateRequest,
    @RoomGroups() addresses: readonly Uint8Array[],
  ): Promise<Uint8Array> {
    const caller = await this.devices.caller(peer, request.sendingClient)
    try {
      const { base } = request
      if (base.kind === 'commit') {
        return updated(await this.operations.perform('commit', caller, groupAt(addresses, 0), commitOf(base, request)))
      }
      let accepted: Accepted | undefined
      for (const [index, proposal] of base.proposals.entries())
        accepted = await this.operations.perform('proposal', caller, groupAt(addresses, index), {
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

/** The groups of the handshakes of an update, in their order. */
function groupsOf({ base }: ExtendedUpdateRequest): Uint8Array[] {
  return (base.kind === 'commit' ? [base.commit] : base.proposals).map(groupIdOf)
}

function groupAt(addresses: readonly Uint8Array[], index: number): Uint8Array {
  const address = addresses[index]
  if (!address) throw new NotTheHub()
  return address
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
