import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { FederationLink } from '../../groups/home/federation-link.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { RemoteHub } from './remote-hub.js'

/** Tells the groups, which know nothing of this layer, that there are other providers. */
@Injectable()
export class ConnectFederation implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly link: FederationLink,
    private readonly hubs: RemoteHub,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION !== 'off') this.link.connect(this.hubs)
  }
}
