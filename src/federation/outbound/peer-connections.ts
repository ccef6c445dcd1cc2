import { readFileSync } from 'node:fs'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { parseRanges } from './address-policy.js'
import { OUTBOUND_LIMITS, PeerHttp } from './peer-http.js'

/** The one client for requests to peers, as the settings have it. */
@Injectable()
export class PeerConnections implements OnApplicationShutdown {
  readonly http: PeerHttp

  constructor(@Inject(CONFIG) config: Config) {
    const plain = [...(config.FEDERATION_PEER_URLS?.values() ?? [])].filter((url) => url.startsWith('http:'))
    this.http = new PeerHttp({
      ...OUTBOUND_LIMITS,
      plainHosts: new Set(plain.map((url) => new URL(url).host)),
      allowedRanges: parseRanges(config.FEDERATION_ALLOWED_RANGES ?? []),
      tls: {
        ...pem('cert', config.FEDERATION_TLS_CERT),
        ...pem('key', config.FEDERATION_TLS_KEY),
        ...pem('ca', config.FEDERATION_TLS_CA),
      },
    })
  }

  onApplicationShutdown(): Promise<void> {
    return this.http.close()
  }
}

function pem(name: 'cert' | 'key' | 'ca', file: string | undefined): Record<string, string> {
  return file === undefined ? {} : { [name]: readFileSync(file, 'utf8') }
}
