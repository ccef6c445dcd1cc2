import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Limits } from '../../platform/limits/limits.js'
import { POOL } from '../../platform/postgres/sql.js'
import { noteMinuteBytes } from './replica-storage.repository.js'

/** One note per peer in this time. */
const NOTE_MS = 10_000
const MAX_REMEMBERED = 10_000

/** Bytes that each peer may send in a minute, whatever they are for and however many users it invents to send them. */
@Injectable()
export class PeerBytes {
  private readonly unnoted = new LRUCache<string, { bytes: number; readonly since: number }>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION_BYTES_PER_MINUTE'>,
    private readonly limits: Limits,
  ) {}

  /**
   * Counts what a peer has sent: a request, once its signature was found to be right, or log entries that were fetched from it. One body that
   * is larger than the limit takes all of a minute.
   * @throws RateLimited; then it counts for nothing
   */
  async take(domain: string, bytes: number): Promise<void> {
    if (bytes === 0) return
    const points = this.config.FEDERATION_BYTES_PER_MINUTE
    await this.limits.take({ name: 'peer-bytes-per-minute', points, seconds: 60, exact: true }, domain, Math.min(bytes, points))
    await this.note(domain, bytes)
  }

  /** For the operator, every few seconds: this may be some seconds behind, and misses the last of what a peer sends. */
  private async note(domain: string, bytes: number): Promise<void> {
    const now = performance.now()
    const waiting = this.unnoted.get(domain) ?? { bytes: 0, since: now - NOTE_MS }
    waiting.bytes += bytes
    if (now - waiting.since < NOTE_MS) return void this.unnoted.set(domain, waiting)
    this.unnoted.set(domain, { bytes: 0, since: now })
    await noteMinuteBytes(this.pool, domain, waiting.bytes)
  }
}
