import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { FederationLink, type Apart } from '../../groups/home/federation-link.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { PeerPolicy } from '../peers/peer-policy.js'
import { providersIn, refusalsAmong } from './apart.repository.js'

/** Which providers in a room do not federate with each other, as far as the hub knows: by its own settings, and by what they have answered. */
@Injectable()
export class ProvidersInRoom implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'FEDERATION'>,
    private readonly policy: PeerPolicy,
    private readonly link: FederationLink,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION !== 'off') this.link.connectApart((gid) => this.apartIn(gid))
  }

  private async apartIn(gid: bigint): Promise<Apart[]> {
    const others = await providersIn(this.pool, gid)
    if (others.length === 0) return []
    const refused: Apart[] = []
    for (const provider of others) if (!(await this.policy.admits(provider))) refused.push({ by: this.config.DOMAIN, provider })
    return [...refused, ...(await refusalsAmong(this.pool, this.config.DOMAIN, others))]
  }
}
