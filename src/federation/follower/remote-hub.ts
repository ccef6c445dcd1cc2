import { Inject, Injectable } from '@nestjs/common'
import { z } from 'zod'
import type { ForeignClaim } from '../../authentication/directory/foreign-devices.repository.js'
import type { Caller } from '../../authentication/session/caller.js'
import type { Accepted, SubmitCommit, SubmitMessage, SubmitProposal } from '../../groups/groups.dto.js'
import type { Federation, HubCall } from '../../groups/home/federation-link.js'
import { shownIds } from '../../groups/home/group-ids.js'
import type { Home } from '../../groups/home/homes.repository.js'
import { userOf } from '../../groups/policy/uris.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { GroupId } from '../../platform/http/bytes.js'
import { encodeCbor } from '../../platform/http/encode.js'
import { requireKind } from '../../platform/http/incoming-message.js'
import { NotFound } from '../../platform/http/problem.js'
import { decodeOperationResponse, encodeOperationRequest } from '../../protocol/mimi/microchat/operation.js'
import {
  decodeExtendedSubmitResponse,
  decodeExtendedUpdateResponse,
  encodeExtendedSubmitRequest,
  encodeExtendedUpdateRequest,
  type Extended,
  type ExtendedUpdateRequest,
} from '../../protocol/mimi/microchat/submissions.js'
import { decodeCbor } from '../../protocol/strict-cbor.js'
import type { Decoded } from '../../protocol/tls/reader.js'
import { IntroducingClient } from '../disclosure/introductions.js'
import { ForeignDevices } from '../hub/foreign-devices.js'
import type { Endpoint } from '../identity/endpoints.js'
import { providerOf } from '../inbound/peer.js'
import { OwnJoins } from '../joins/own-joins.js'
import { HubBadResponse, hubProblem } from '../peer-problems.js'
import { decodeRelayedProblem } from '../relayed-problem.js'
import { Arrivals } from './arrival/arrivals.js'
import { lastNamed } from './arrival/last-named.js'

const NOTHING = new Uint8Array()
const FoundRoom = z.object({ room: z.string(), group_id: GroupId })

/** Forwards calls of local users to the hubs of their groups; users get the hub's answer. */
@Injectable()
export class RemoteHub implements Federation {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly client: IntroducingClient,
    private readonly devices: ForeignDevices,
    private readonly arrivals: Arrivals,
    private readonly joins: OwnJoins,
  ) {}

  /** @throws Undecodable for what could not even be written down at the hub; otherwise the hub's refusal */
  async call(home: Home, caller: Caller, call: HubCall): Promise<unknown> {
    switch (call.endpoint) {
      case 'commit': {
        const request = updateOf(caller.client, call.body)
        await this.joins.passCommit(home.roomId, caller, call.body.commit)
        return this.update(home, caller, request)
      }
      case 'proposal': {
        const request = proposalUpdateOf(caller.client, call.body)
        await this.joins.passProposal(home.roomId, caller, call.body.proposal)
        return this.update(home, caller, request)
      }
      case 'message':
        return this.submitMessage(home, caller, call.body)
      case 'operation':
        return this.perform(home, caller, call.name, call.args)
    }
  }

  private async submitMessage(home: Home, caller: Caller, { message, incarnation }: SubmitMessage): Promise<Accepted> {
    requireKind(message, 'application')
    const body = await this.ask(
      home,
      caller.user,
      'submitMessage',
      encodeExtendedSubmitRequest({ base: { message, sendingUri: caller.client }, incarnation }),
    )
    return this.arrived(home, decodeExtendedSubmitResponse(body))
  }

  private async perform(home: Home, caller: Caller, operation: string, args: object): Promise<unknown> {
    const named = 'user' in args && typeof args.user === 'string' ? { ...args, user: userOf(this.config.DOMAIN, args.user) } : args
    const request = { operation, client: caller.client, groupId: home.mlsGroupId, args: encodeCbor(named) }
    const decoded = decodeOperationResponse(await this.ask(home, caller.user, 'operation', encodeOperationRequest(request)))
    if (decoded.kind === 'malformed') throw new HubBadResponse()
    const { result, problem } = decoded.value
    if (problem.length > 0) throw decodeRelayedProblem(problem) ?? new HubBadResponse()
    const shown = resultIn(result)
    return operation === 'group' ? addressedHere(home, shown) : shown
  }

  async findRoom(_caller: Caller, roomId: string): Promise<Home> {
    const hub = providerOf(roomId) ?? ''
    const found = FoundRoom.safeParse(resultIn(await this.ask({ hub, roomId }, undefined, 'room', NOTHING)))
    if (!found.success || found.data.room !== roomId) throw new HubBadResponse()
    const group = { mlsGroupId: found.data.group_id, hub, roomId }
    const groupId = await this.joins.found(group)
    if (!groupId) throw new NotFound('No such room.')
    return { ...group, groupId }
  }

  introduce(claims: readonly ForeignClaim[]): Promise<void> {
    return this.devices.introduce(claims)
  }

  private async update(home: Home, caller: Caller, request: ExtendedUpdateRequest): Promise<Accepted> {
    const answer = await this.ask(home, caller.user, 'update', encodeExtendedUpdateRequest(request))
    return this.arrived(home, decodeExtendedUpdateResponse(answer))
  }

  /** The hub's word, once this provider's log has the entries that it speaks of. @throws the hub's refusal */
  private async arrived(home: Home, decoded: Decoded<Extended<unknown>>): Promise<Accepted> {
    if (decoded.kind === 'malformed') throw new HubBadResponse()
    const { accepted, problem } = decoded.value
    if (accepted) {
      const readable = await this.arrivals.of(home, accepted)
      return readable === undefined ? accepted : { ...accepted, readable_seq: readable }
    }
    const refusal = decodeRelayedProblem(problem) ?? new HubBadResponse()
    const named = lastNamed(refusal)
    if (named) await this.arrivals.of(home, named)
    throw refusal
  }

  private async ask(
    { hub, roomId }: Pick<Home, 'hub' | 'roomId'>,
    user: string | undefined,
    endpoint: Endpoint,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    const answer = await this.client.sendFor(user, { peer: hub, endpoint, argument: roomId, body })
    if (answer.kind === 'answered' && answer.status === 200) return answer.body
    throw hubProblem(answer)
  }
}

/** A group as its hub shows it, under its address here: the hub knows that of its own users only. */
function addressedHere(home: Home, shown: unknown): unknown {
  const { group_id: _, mls_group_id: __, ...group } = z.record(z.string(), z.unknown()).catch({}).parse(shown)
  return { ...shownIds(home), ...group }
}

function resultIn(bytes: Uint8Array): unknown {
  try {
    return decodeCbor(bytes) ?? undefined
  } catch {
    throw new HubBadResponse()
  }
}

/** A Commit of a local client as an UpdateRequest. @throws Undecodable for what is not of its kind */
function updateOf(client: string, body: SubmitCommit): ExtendedUpdateRequest {
  requireKind(body.commit, 'commit')
  for (const welcome of body.welcomes ?? []) requireKind(welcome, 'welcome')
  if (body.group_info) requireKind(body.group_info, 'group-info')
  const [welcome, ...moreWelcomes] = body.welcomes ?? []
  return {
    base: {
      kind: 'commit',
      commit: body.commit,
      welcome,
      groupInfo: body.group_info,
      tree: body.ratchet_tree ? { kind: 'full', tree: body.ratchet_tree } : { kind: 'distribution-service' },
    },
    sendingClient: client,
    moreWelcomes,
    joinCode: body.join_code,
    removed: body.removed ?? [],
    letGo: body.let_go ?? [],
    reinit: body.reinit ?? false,
    successor: body.successor,
    incarnation: body.incarnation,
  }
}

/** A proposal of a local client as an UpdateRequest. @throws Undecodable */
function proposalUpdateOf(client: string, { proposal, incarnation }: SubmitProposal): ExtendedUpdateRequest {
  requireKind(proposal, 'proposal')
  const none = { moreWelcomes: [], joinCode: undefined, removed: [], reinit: false, incarnation }
  return { base: { kind: 'proposals', proposals: [proposal] }, sendingClient: client, ...none }
}
