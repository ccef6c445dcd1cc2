import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { X509Credentials } from '../../authentication/x509/x509-credentials.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { PeerDirectories } from './peer-directories.js'
import { PeerPolicy } from './peer-policy.js'

/** The X.509 authorities of other providers (docs/x509.md §4), for the layers below: those of the signed directories, of peers that this server federates with. */
@Injectable()
export class PeerAuthorities implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly credentials: X509Credentials,
    private readonly directories: PeerDirectories,
    private readonly policy: PeerPolicy,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION === 'off') return
    this.credentials.connect(async (domain, fresh) =>
      (await this.policy.admits(domain)) ? this.directories.authorities(domain, fresh) : [],
    )
  }
}
