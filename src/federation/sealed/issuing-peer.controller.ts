import { Controller, Inject } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { encodeCbor } from '../../platform/http/encode.js'
import { Issuer } from '../../tokens/issue/issuer.js'
import { OwnDirectory } from '../../tokens/issue/issuer-directory.js'
import { PEER_TOKEN_ANSWERS_KEPT, PEER_TOKEN_REQUESTS } from '../../tokens/issue/tokens.limits.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { DomainVariable } from '../inbound/path-variables.js'
import { PeerPost } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { refuseOtherDomain } from '../inbound/own-domain.js'
import { numberOf } from '../../platform/limits/described-limit.js'

/** Send tokens for other providers' users, whom those attest to: one key for all, so a token does not say from where it was fetched. */
@Controller(PEER_PATH)
export class IssuingPeerController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'TOKENS_PER_PEER'>,
    private readonly issuer: Issuer,
    private readonly directory: OwnDirectory,
  ) {}

  @PeerPost('tokenDirectory/:domain')
  async keys(@DomainVariable('domain') domain: string): Promise<Uint8Array> {
    refuseOtherDomain(domain, this.config.DOMAIN)
    return encodeCbor(await this.directory.read())
  }

  /** The provider has counted what its user gets; what the provider gets is counted here. */
  @PeerPost('issueTokens/:domain')
  issue(@CurrentPeer() peer: Peer, @DomainVariable('domain') domain: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    refuseOtherDomain(domain, this.config.DOMAIN)
    const { TOKENS_PER_PEER: quota } = this.config
    const holder = { name: peer.domain, quota, requests: PEER_TOKEN_REQUESTS, kept: numberOf(PEER_TOKEN_ANSWERS_KEPT) }
    return this.issuer.issueBatch(holder, body)
  }
}
