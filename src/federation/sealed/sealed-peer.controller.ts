import { Controller, Inject } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { encodeCbor } from '../../platform/http/encode.js'
import { Unlogged } from '../../platform/http/route-options.js'
import { numberOf } from '../../platform/limits/described-limit.js'
import { encodeKeyConfigs } from '../../protocol/ohttp/key-config.js'
import { Issuer } from '../../tokens/issue/issuer.js'
import { OwnIssuerDirectory } from '../../tokens/issue/issuer-directory.js'
import { PEER_TOKEN_ANSWERS_KEPT, PEER_TOKEN_REQUESTS } from '../../tokens/issue/tokens.limits.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { DomainVariable, PeerPost, requireOwnDomain } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, type Peer } from '../inbound/peer.js'
import { GatewayKeys, SealedGateway } from './sealed-gateway.js'

/** Envelopes of other providers' users: this hub sees which provider relays, and not for whom. */
@Controller(PEER_PATH)
export class SealedPeerController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly keys: GatewayKeys,
    private readonly gateway: SealedGateway,
  ) {}

  /** The content of `application/ohttp-keys`, under the type of all bodies between providers. */
  @PeerPost('sealedKeys/:domain')
  configs(@DomainVariable('domain') domain: string): Uint8Array {
    requireOwnDomain(domain, this.config.DOMAIN)
    return encodeKeyConfigs([this.keys.config(Date.now())])
  }

  /** The content of `message/ohttp-req` in, of `message/ohttp-res` out. */
  @PeerPost('submitSealed/:domain')
  @Unlogged()
  submit(@DomainVariable('domain') domain: string, @PeerBody() envelope: Uint8Array): Promise<Uint8Array> {
    requireOwnDomain(domain, this.config.DOMAIN)
    return this.gateway.answer(envelope)
  }
}

/** Send tokens for other providers' users, whom those attest to: one key for all, so a token does not say from where it was fetched. */
@Controller(PEER_PATH)
export class IssuingPeerController {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'TOKENS_PER_PEER'>,
    private readonly issuer: Issuer,
    private readonly directory: OwnIssuerDirectory,
  ) {}

  @PeerPost('tokenDirectory/:domain')
  async keys(@DomainVariable('domain') domain: string): Promise<Uint8Array> {
    requireOwnDomain(domain, this.config.DOMAIN)
    return encodeCbor(await this.directory.read())
  }

  /** The provider has counted what its user gets; what the provider gets is counted here. */
  @PeerPost('issueTokens/:domain')
  issue(@CurrentPeer() peer: Peer, @DomainVariable('domain') domain: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    requireOwnDomain(domain, this.config.DOMAIN)
    const { TOKENS_PER_PEER: quota } = this.config
    const holder = { name: peer.domain, quota, requests: PEER_TOKEN_REQUESTS, kept: numberOf(PEER_TOKEN_ANSWERS_KEPT) }
    return this.issuer.issueBatch(holder, body)
  }
}
