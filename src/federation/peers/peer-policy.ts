import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { findPeer } from './peers.repository.js'

const REMEMBER_MS = 5_000
const MAX_REMEMBERED = 10_000

/** Whether this server federates with a provider: by the setting FEDERATION, and by the operator's decision on that provider. */
@Injectable()
export class PeerPolicy {
  private readonly remembered = new LRUCache<string, { at: number; policy: Promise<'allow' | 'deny' | null> }>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION' | 'DOMAIN'>,
  ) {}

  async admits(domain: string): Promise<boolean> {
    if (domain === this.config.DOMAIN) return false
    switch (this.config.FEDERATION) {
      case 'off':
        return false
      case 'open':
        return true
      case 'allow-list':
        return (await this.policy(domain)) === 'allow'
      case 'deny-list':
        return (await this.policy(domain)) !== 'deny'
    }
  }

  private policy(domain: string): Promise<'allow' | 'deny' | null> {
    const known = this.remembered.get(domain)
    if (known && performance.now() - known.at < REMEMBER_MS) return known.policy
    const policy = findPeer(this.pool, domain).then((row) => row?.policy ?? null)
    this.remembered.set(domain, { at: performance.now(), policy })
    policy.catch(() => this.remembered.delete(domain))
    return policy
  }
}
