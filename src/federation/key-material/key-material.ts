import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { decodeKeyMaterialRequest, KEY_MATERIAL_LABEL, type SignedKeyMaterialRequest } from '../../protocol/mimi/key-material.js'
import {
  decodeExtendedKeyMaterialRequest,
  EXTENDED_KEY_MATERIAL_LABEL,
  type BoundKeyMaterialRequest,
} from '../../protocol/mimi/microchat/key-material-request.js'
import { groupForPeer, isInRoom } from '../hub/hub.repository.js'
import { FirstResults } from '../inbound/first-results.js'
import { ForeignDomain } from '../inbound/inbound.problems.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { providerOf, type Peer } from '../inbound/peer.js'
import { KeyMaterialForwarder } from './key-material-forwarder.js'
import { ProvidersApart, RequestStale } from './key-material.problems.js'
import { OwnKeyMaterial, refusal } from './own-key-material.js'
import { PassedOnRequests } from './passed-on.js'
import { Requesters, type Requester } from './requesters.js'

type AnyRequest = SignedKeyMaterialRequest | BoundKeyMaterialRequest

/** How old a request may be, and how far ahead: together less than the time for which its answer is kept. */
const MAX_AGE_MS = 300_000
const MAX_AHEAD_MS = 240_000

/** A request is for the hub of its room, and of now. @throws ForeignDomain, RequestStale */
export function requireBound({ hub, roomId, madeAtMs }: BoundKeyMaterialRequest, now: number): void {
  if (hub !== providerOf(roomId)) throw new ForeignDomain('hub')
  const age = now - Number(madeAtMs)
  if (age > MAX_AGE_MS || age < -MAX_AHEAD_MS) throw new RequestStale(now)
}

/**
 * KeyPackages for a room go from the requester's provider over the room's hub to the target's: so the hub knows, when the Welcome
 * comes, whose it is (draft-ietf-mimi-protocol-06, Fetch Key Material).
 */
@Injectable()
export class KeyMaterial {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly own: OwnKeyMaterial,
    private readonly requesters: Requesters,
    private readonly forwarder: KeyMaterialForwarder,
  ) {}

  /**
   * As the hub of the room, or as the target's provider for a hub.
   * @param sender the provider that sent the request; ours, for a local user
   */
  async answer(sender: string, body: Uint8Array): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeExtendedKeyMaterialRequest(body))
    requireBound(request, Date.now())
    return this.answerTo(sender, request, body)
  }

  /** For a peer that speaks the draft alone: its request is bound to a room, and to nothing else. */
  answerDraft(sender: string, body: Uint8Array): Promise<Uint8Array> {
    return this.answerTo(sender, decodedOrRefused(decodeKeyMaterialRequest(body)), body)
  }

  private async answerTo(sender: string, request: AnyRequest, body: Uint8Array): Promise<Uint8Array> {
    const hub = providerOf(request.roomId)
    const target = parseUserUri(request.targetUser)?.domain
    if (hub === this.config.DOMAIN) return this.asHub(sender, request, target, body)
    // The one case in which a peer speaks for another's user: it forwards what that user has signed.
    if (hub === sender && target === this.config.DOMAIN) return this.asTarget(sender, request)
    throw new ForeignDomain('room')
  }

  private async asHub(sender: string, request: AnyRequest, target: string | undefined, body: Uint8Array): Promise<Uint8Array> {
    if (parseUserUri(request.requestingUser)?.domain !== sender) throw new ForeignDomain('requesting user')
    // Before anything about the requester is fetched: the provider may have invented both.
    if (sender !== this.config.DOMAIN && !(await groupForPeer(this.pool, request.roomId, sender)))
      return refusal(request, 'no-consent-for-this-room')
    const requester = await this.requester(sender, request)
    if (!requester) return refusal(request, 'no-consent')
    if (!(await isInRoom(this.pool, request.roomId, requester.deviceId))) return refusal(request, 'no-consent-for-this-room')
    if (target === undefined) return refusal(request, 'user-unknown')
    return target === this.config.DOMAIN ? this.own.hand(request, requester.deviceId) : this.forwarder.forward(target, request, body)
  }

  private async asTarget(sender: string, request: AnyRequest): Promise<Uint8Array> {
    const requester = await this.requester(sender, request)
    if (requester) return this.own.hand(request, requester.deviceId)
    const provider = parseUserUri(request.requestingUser)?.domain
    if (provider !== undefined && (await this.requesters.areRefused(provider))) throw new ProvidersApart(this.config.DOMAIN, provider)
    return refusal(request, 'no-consent')
  }

  private async requester(sender: string, request: AnyRequest): Promise<Requester | undefined> {
    const found = await this.requesters.of(request, 'nonce' in request ? EXTENDED_KEY_MATERIAL_LABEL : KEY_MATERIAL_LABEL, sender)
    return found?.user === request.requestingUser ? found : undefined
  }
}

/**
 * The same answer for the same request, for longer than it is of now: who has got it, a hub above all, gets no other KeyPackages by it. What counts
 * is what was signed, as there may be several signatures of one.
 */
@Injectable()
export class KeyMaterialAnswers {
  constructor(
    private readonly results: FirstResults,
    private readonly material: KeyMaterial,
    private readonly passedOn: PassedOnRequests,
  ) {}

  /** @param sender the provider that asks; ours, for a local user */
  of(sender: Peer, body: Uint8Array): Promise<Uint8Array> {
    if (sender.dialect === 'draft') return this.ofDraft(sender.domain, body)
    const { tbs } = decodedOrRefused(decodeExtendedKeyMaterialRequest(body))
    return this.results.once(sender, 'keyMaterial', tbs, () => this.material.answer(sender.domain, body))
  }

  /** Two requests of the draft may be equal to the byte, and each is to get KeyPackages of its own, if it is of a user of who sends it. */
  private ofDraft(sender: string, body: Uint8Array): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeKeyMaterialRequest(body))
    const answer = () => this.material.answerDraft(sender, body)
    return parseUserUri(request.requestingUser)?.domain === sender ? answer() : this.passedOn.once(sender, request, answer)
  }
}

/** With what it needs alone. */
export const KEY_MATERIAL_ANSWERS = [PassedOnRequests, KeyMaterialAnswers]
