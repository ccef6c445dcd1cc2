import { Controller, Inject } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { decodeIdentifierRequest, encodeIdentifierResponse } from '../../protocol/mimi/identifier-query.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { refuseOtherDomain } from '../inbound/own-domain.js'
import { DomainVariable } from '../inbound/path-variables.js'
import { PeerPost } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { IdentifierQueries } from './identifier-queries.js'

@Controller(PEER_PATH)
export class IdentifierQueryPeerController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly queries: IdentifierQueries,
  ) {}

  @PeerPost('identifierQuery/:domain')
  async answer(@CurrentPeer() peer: Peer, @DomainVariable('domain') domain: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    refuseOtherDomain(domain, this.config.DOMAIN)
    return encodeIdentifierResponse(await this.queries.answerPeer(peer.domain, decodedOrRefused(decodeIdentifierRequest(body))))
  }
}
