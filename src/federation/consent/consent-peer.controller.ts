import { Controller, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { findEnabledAccount } from '../../authentication/accounts/accounts.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { parseUserUri } from '../../protocol/identifiers.js'
import { decodeConsentEntry, type ConsentEntry } from '../../protocol/mimi/consent.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { DomainVariable, PeerPost } from '../inbound/peer-route.js'
import { MalformedBody } from '../inbound/inbound.problems.js'
import { CurrentPeer, PeerBody, providerOf, requireUriOfPeer, type Peer } from '../inbound/peer.js'
import { consentDecided, consentDropped, consentRequested } from '../federation.events.js'
import { cancelRequest, noteRequest, noteTold, lockUserConsents, type ConsentScope } from './consents.repository.js'

/** Open requests of one provider to one target, and what one provider can tell one requester unasked. */
export const MOST_PER_PROVIDER = 100

/**
 * Requests to our users, and word from those whom ours have asked. The answer is 201 whether or not there is such a user or request,
 * and also when there are too many of them: nobody can find out by it who has an account here.
 */
@Controller(PEER_PATH)
export class ConsentPeerController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly events: Events,
  ) {}

  @PeerPost('requestConsent/:targetDomain', 201)
  async request(
    @CurrentPeer() peer: Peer,
    @DomainVariable('targetDomain') domain: string,
    @PeerBody() body: Uint8Array,
  ): Promise<undefined> {
    const { operation, ...scope } = this.entry(body)
    if (operation !== 'request' && operation !== 'cancel') throw new MalformedBody('the operation belongs to updateConsent')
    requireUriOfPeer(peer, scope.requester, 'requesting user')
    this.refuseOthers(domain, scope.target)
    if (operation === 'cancel') await cancelRequest(this.pool, scope)
    else if ((await findEnabledAccount(this.pool, scope.target)) !== undefined) await this.note(peer, scope)
  }

  @PeerPost('updateConsent/:requesterDomain', 201)
  async update(
    @CurrentPeer() peer: Peer,
    @DomainVariable('requesterDomain') domain: string,
    @PeerBody() body: Uint8Array,
  ): Promise<undefined> {
    const { operation, ...scope } = this.entry(body)
    if (operation !== 'grant' && operation !== 'revoke') throw new MalformedBody('the operation belongs to requestConsent')
    requireUriOfPeer(peer, scope.target, 'target')
    this.refuseOthers(domain, scope.requester)
    if ((await findEnabledAccount(this.pool, scope.requester)) === undefined) return
    const state = operation === 'grant' ? 'granted' : 'revoked'
    await transaction(this.pool, async (sql) => {
      await lockUserConsents(sql, `${scope.requester} ${peer.domain}`)
      await noteTold(sql, scope, state, MOST_PER_PROVIDER)
    })
    consentDecided(this.events, state, true)
  }

  private async note(peer: Peer, scope: ConsentScope): Promise<void> {
    const kept = await transaction(this.pool, async (sql) => {
      await lockUserConsents(sql, `${scope.target} ${peer.domain}`)
      return noteRequest(sql, scope, { by: 'provider', most: MOST_PER_PROVIDER, elsewhere: false })
    })
    if (kept) consentRequested(this.events, true)
    else consentDropped(this.events)
  }

  /** KeyPackages that come with a grant are left: a claim over the room's hub gets fresh ones, and the hub then knows whose they are. */
  private entry(body: Uint8Array): ConsentScope & Pick<ConsentEntry, 'operation'> {
    const { operation, requester, target, roomId } = decodedOrRefused(decodeConsentEntry(body))
    if (!parseUserUri(requester) || !parseUserUri(target)) throw new MalformedBody('a user is not mimi://<domain>/u/<user>')
    return { operation, requester, target, room: roomId ?? '' }
  }

  private refuseOthers(domain: string, user: string): void {
    if (domain !== this.config.DOMAIN || providerOf(user) !== domain) throw new NotFound('The user is not of this server.')
  }
}
