import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { decodeKeyMaterialRequest, KEY_MATERIAL_LABEL, type SignedKeyMaterialRequest } from '../../protocol/mimi/key-material.js'
import { isInRoom } from '../hub/hub.repository.js'
import { FirstResults } from '../inbound/first-results.js'
import { ForeignDomain } from '../inbound/inbound.problems.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { providerOf, type Peer } from '../inbound/peer.js'
import { KeyMaterialForwarder } from './key-material-forwarder.js'
import { ProvidersApart } from './key-material.problems.js'
import { OwnKeyMaterial, refusal } from './own-key-material.js'
import { Requesters, type Requester } from './requesters.js'

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
    const request = decodedOrRefused(decodeKeyMaterialRequest(body))
    const hub = providerOf(request.roomId)
    const target = parseUserUri(request.targetUser)?.domain
    if (hub === this.config.DOMAIN) return this.asHub(sender, request, target, body)
    // The one case in which a peer speaks for another's user: it forwards what that user has signed.
    if (hub === sender && target === this.config.DOMAIN) return this.asTarget(request)
    throw new ForeignDomain('room')
  }

  private async asHub(
    sender: string,
    request: SignedKeyMaterialRequest,
    target: string | undefined,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    if (parseUserUri(request.requestingUser)?.domain !== sender) throw new ForeignDomain('requesting user')
    const requester = await this.requester(request)
    if (!requester) return refusal(request, 'no-consent')
    if (!(await isInRoom(this.pool, request.roomId, requester.deviceId))) return refusal(request, 'no-consent-for-this-room')
    if (target === undefined) return refusal(request, 'user-unknown')
    return target === this.config.DOMAIN ? this.own.hand(request, requester.deviceId) : this.forwarder.forward(target, request, body)
  }

  private async asTarget(request: SignedKeyMaterialRequest): Promise<Uint8Array> {
    const requester = await this.requester(request)
    if (requester) return this.own.hand(request, requester.deviceId)
    const provider = parseUserUri(request.requestingUser)?.domain
    if (provider !== undefined && (await this.requesters.areRefused(provider))) throw new ProvidersApart(this.config.DOMAIN, provider)
    return refusal(request, 'no-consent')
  }

  private async requester(request: SignedKeyMaterialRequest): Promise<Requester | undefined> {
    const found = await this.requesters.of(request, KEY_MATERIAL_LABEL)
    return found?.user === request.requestingUser ? found : undefined
  }
}

/** The same answer for the same request, until one of its KeyPackages has been used: after that, a repeated request is answered with others. */
@Injectable()
export class KeyMaterialAnswers {
  constructor(
    private readonly results: FirstResults,
    private readonly material: KeyMaterial,
    private readonly forwarder: KeyMaterialForwarder,
  ) {}

  /** @param sender the provider that asks; ours, for a local user */
  of(sender: Peer, body: Uint8Array): Promise<Uint8Array> {
    const answer = () => this.material.answer(sender.domain, body)
    return this.results.once(sender, 'keyMaterial', body, answer, (result) => this.forwarder.isSpent(result))
  }
}
