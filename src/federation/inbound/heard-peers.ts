import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { noteInbound } from '../peers/peers.repository.js'

/** A peer that is heard often is not written down each time. */
const NOTE_MS = 10_000
const MAX_REMEMBERED = 10_000

/** Who was heard of lately: a peer that asks is a peer that can be asked. */
@Injectable()
export class HeardPeers {
  private readonly notedAt = new LRUCache<string, number>({ max: MAX_REMEMBERED })

  constructor(@Inject(POOL) private readonly pool: Pool) {}

  async note(domain: string): Promise<void> {
    const last = this.notedAt.get(domain)
    if (last !== undefined && performance.now() - last < NOTE_MS) return
    this.notedAt.set(domain, performance.now())
    await noteInbound(this.pool, domain)
  }
}
