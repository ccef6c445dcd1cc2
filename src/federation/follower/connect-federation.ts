import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { FederationLink } from '../../groups/home/federation-link.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { IssuerLink } from '../../tokens/issue/attester.js'
import { RemoteIssuers } from '../sealed/remote-issuers.js'
import { RemoteHub } from './remote-hub.js'

/** Tells the layers below, which know nothing of this one, that there are other providers. */
@Injectable()
export class ConnectFederation implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly link: FederationLink,
    private readonly hubs: RemoteHub,
    private readonly issuerLink: IssuerLink,
    private readonly issuers: RemoteIssuers,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION === 'off') return
    this.link.connect(this.hubs)
    this.issuerLink.connect(this.issuers)
  }
}
