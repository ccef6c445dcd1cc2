import { Controller, Inject } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Unlogged } from '../../platform/http/route-options.js'
import { encodeKeyConfigs } from '../../protocol/ohttp/key-config.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { DomainVariable } from '../inbound/path-variables.js'
import { PeerPost } from '../inbound/peer-route.js'
import { PeerBody } from '../inbound/peer.js'
import { GatewayKeys } from './gateway-keys.js'
import { SealedGateway } from './sealed-gateway.js'
import { refuseOtherDomain } from '../inbound/own-domain.js'

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
    refuseOtherDomain(domain, this.config.DOMAIN)
    return encodeKeyConfigs([this.keys.config(Date.now())])
  }

  /** The content of `message/ohttp-req` in, of `message/ohttp-res` out. */
  @PeerPost('submitSealed/:domain')
  @Unlogged()
  submit(@DomainVariable('domain') domain: string, @PeerBody() envelope: Uint8Array): Promise<Uint8Array> {
    refuseOtherDomain(domain, this.config.DOMAIN)
    return this.gateway.answer(envelope)
  }
}
