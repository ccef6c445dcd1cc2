import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Caller } from '../../../authentication/session/caller.js'
import type { Accepted, Group, SubmitCommit, SubmitMessage, SubmitProposal } from '../../../groups/groups.dto.js'
import { NotAMember, PolicyRefusal, StaleEpoch } from '../../../groups/groups.problems.js'
import { shownIds } from '../../../groups/home/group-ids.js'
import type { HubCall } from '../../../groups/home/federation-link.js'
import type { Home } from '../../../groups/home/homes.repository.js'
import { NotFound, Problem } from '../../../platform/http/problem.js'
import { requireKind } from '../../../platform/http/incoming-message.js'
import { POOL } from '../../../platform/postgres/sql.js'
import { decodeSubmitMessageResponse, encodeSubmitMessageRequest } from '../../../protocol/mimi/submit-message.js'
import { decodeUpdateResponse, encodeUpdateRequest, type UpdateRequest, type UpdateResponse } from '../../../protocol/mimi/update.js'
import type { Endpoint } from '../../identity/endpoints.js'
import { OwnJoins } from '../../joins/own-joins.js'
import { HubBadResponse, hubProblem } from '../../peer-problems.js'
import { DraftClient } from '../draft-client.js'
import { treeOf } from './draft-members.repository.js'
import { DraftPlacements } from './draft-placements.js'
import { shownReplica } from './draft-replica.repository.js'
import type { DraftEntry } from './draft-replicas.js'
import { draftRoom, type DraftRoom } from './draft-room.js'

/** The group's hub speaks nothing but the MIMI draft, which has nothing of the kind. */
export class UnsupportedByHub extends Problem {
  constructor(what: string) {
    super(403, 'unsupported-by-hub', `${what} needs more than the hub of this group offers.`)
  }
}

/** The draft has no policies: a hub judges, and says no. */
const POLICY = {
  external_join: 'same-user',
  add_members: 'members',
  remove_members: 'members',
  reports_to_reset: 1,
  identities: 'any',
  version: 1n,
  left_to_members: [],
  admins: [],
} as const

/** Calls of local users to hubs that speak nothing but the draft. What such a hub has taken is placed here: it need not send it back. */
@Injectable()
export class DraftHub {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly client: DraftClient,
    private readonly placements: DraftPlacements,
    private readonly joins: OwnJoins,
  ) {}

  /** @throws the hub's refusal, as a client of a hub here would get it; UnsupportedByHub */
  async call(home: Home, caller: Caller, call: HubCall): Promise<unknown> {
    switch (call.endpoint) {
      case 'commit':
        return this.commit(home, caller, call.body)
      case 'proposal':
        return this.proposal(home, caller, call.body)
      case 'message':
        return this.message(home, caller, call.body)
      case 'operation':
        return this.operation(home, caller, call.name)
    }
  }

  private async commit(home: Home, caller: Caller, body: SubmitCommit): Promise<Accepted> {
    const [welcome, ...more] = body.welcomes ?? []
    if (more.length > 0) throw new UnsupportedByHub('More than one Welcome')
    if (body.join_code !== undefined) throw new UnsupportedByHub('A join code')
    requireKind(body.commit, 'commit')
    if (welcome) requireKind(welcome, 'welcome')
    if (body.group_info) requireKind(body.group_info, 'group-info')
    await this.joins.passCommit(home.roomId, caller, body.commit)
    const request: UpdateRequest = {
      kind: 'commit',
      commit: body.commit,
      welcome,
      groupInfo: body.group_info,
      tree: body.ratchet_tree ? { kind: 'full', tree: body.ratchet_tree } : { kind: 'distribution-service' },
    }
    return this.update(home, request, { kind: 'commit', bytes: body.commit, sender: caller })
  }

  private async proposal(home: Home, caller: Caller, { proposal }: SubmitProposal): Promise<Accepted> {
    requireKind(proposal, 'proposal')
    const entry = { kind: 'proposal', bytes: proposal, sender: caller } as const
    return this.update(home, { kind: 'proposals', proposals: [proposal] }, entry)
  }

  private async update(home: Home, request: UpdateRequest, entry: Omit<DraftEntry, 'acceptedAtMs'>): Promise<Accepted> {
    const room = roomOf(home)
    const earlier = await this.placements.earlier(room, entry)
    if (earlier) return earlier
    const decoded = decodeUpdateResponse(await this.ask(home, 'update', encodeUpdateRequest(request)))
    if (decoded.kind === 'malformed') throw new HubBadResponse()
    if (decoded.value.code !== 'success') throw updateProblem(decoded.value)
    return this.placements.of(room, { ...entry, acceptedAtMs: decoded.value.acceptedAtMs })
  }

  private async message(home: Home, caller: Caller, { message }: SubmitMessage): Promise<Accepted> {
    requireKind(message, 'application')
    const room = roomOf(home)
    const entry = { kind: 'application', bytes: message, sender: caller } as const
    const earlier = await this.placements.earlier(room, entry)
    if (earlier) return earlier
    const body = encodeSubmitMessageRequest({ message, sendingUri: caller.user })
    const decoded = decodeSubmitMessageResponse(await this.ask(home, 'submitMessage', body))
    if (decoded.kind === 'malformed') throw new HubBadResponse()
    const response = decoded.value
    if (response.code === 'epoch-too-old') throw new StaleEpoch(response.currentEpoch, 1, [])
    if (response.code === 'not-allowed') throw new PolicyRefusal("The group's hub does not allow it.")
    return this.placements.of(room, { ...entry, acceptedAtMs: response.acceptedAtMs })
  }

  private async operation(home: Home, caller: Caller, name: string): Promise<unknown> {
    switch (name) {
      case 'group':
        return this.group(home, caller)
      case 'policy':
        return POLICY
      case 'tree':
        return this.tree(home, caller)
      default:
        throw new UnsupportedByHub(`This (${name})`)
    }
  }

  private async group(home: Home, caller: Caller): Promise<Group> {
    const shown = await shownReplica(this.pool, home.groupId, caller.deviceId)
    if (!shown) throw new NotAMember()
    return {
      ...shownIds(home),
      mode: 'public',
      cipher_suite: shown.cipherSuite,
      incarnation: shown.incarnation,
      epoch: shown.epoch,
      head_seq: shown.headSeq,
      head_chain: shown.headChain,
      post_floor: shown.postFloor,
      room: shown.roomId,
      member_since: shown.memberSince,
    }
  }

  private async tree(home: Home, caller: Caller): Promise<unknown> {
    const { groupId } = home
    await this.group(home, caller)
    const found = await treeOf(this.pool, groupId, caller.deviceId)
    if (!found) throw new NotFound('No tree is kept for this epoch.')
    return { epoch: found.epoch, ratchet_tree: found.tree }
  }

  private async ask({ hub, roomId }: Home, endpoint: Endpoint, body: Uint8Array): Promise<Uint8Array> {
    const answer = await this.client.send({ peer: hub, endpoint, argument: roomId, body })
    if (answer.kind === 'answered' && answer.status === 200) return answer.body
    throw hubProblem({ ...answer, peer: hub })
  }
}

function roomOf({ roomId }: Home): DraftRoom {
  const room = draftRoom(roomId)
  if (!room) throw new HubBadResponse()
  return room
}

function updateProblem(response: Exclude<UpdateResponse, { code: 'success' }>): Problem {
  if (response.code === 'wrong-epoch') return new StaleEpoch(response.currentEpoch, 1, [])
  return new PolicyRefusal("The group's hub does not allow it.")
}
