import { Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Counter } from 'prom-client'
import { Metrics } from '../observability/metrics.js'
import { RedisClients } from '../redis/redis-clients.js'
import { Secrets } from '../secrets.js'
import { numberOf, type DescribedLimit } from './described-limit.js'

/** A Redis that hangs must not hold up every request. */
const PATIENCE_MS = 250

export const FIRST_USES_REMEMBERED = {
  name: 'process-proofs-remembered',
  holder: 'process',
  what: 'proofs of possession (DPoP) that are remembered, for 75 seconds each, so that none is used twice; some 100 bytes each',
  value: 300_000,
  refusal: 'none: the oldest are forgotten, and could be used a second time',
} as const satisfies DescribedLimit

/**
 * What may be used once: remembered on this node, and for all of them where there is Redis. While Redis is away the other nodes are not
 * asked (docs/adr/0031-tokens-bound-to-a-key.md). Names are kept as keyed hashes.
 */
@Injectable()
export class FirstUses {
  private readonly here = new LRUCache<string, true>({ max: numberOf(FIRST_USES_REMEMBERED) })
  private readonly unasked: Counter

  constructor(
    private readonly redis: RedisClients,
    private readonly secrets: Secrets,
    metrics: Metrics,
  ) {
    this.unasked = metrics.counter('first_uses_local_total', 'Proofs of possession that only this node remembers, as Redis was away')
  }

  /**
   * @param name unique among all that are used so
   * @param lifetimeMs for how long it is remembered
   * @returns whether this is its first use
   */
  async isFirst(name: string, lifetimeMs: number): Promise<boolean> {
    const hash = Buffer.from(this.secrets.mac('first uses v1', Buffer.from(name))).toString('base64url', 0, 16)
    // Before anything is awaited: of two that come together one is the second.
    if (this.here.has(hash)) return false
    this.here.set(hash, true, { ttl: lifetimeMs })
    const { publisher, namespace } = this.redis
    if (publisher === undefined) return true
    const asked = publisher.set(`${namespace}:used:${hash}`, '1', 'PX', lifetimeMs, 'NX').then(
      (set) => set === 'OK',
      () => undefined,
    )
    const first = await withinPatience(asked)
    if (first === undefined) this.unasked.inc()
    return first ?? true
  }
}

function withinPatience<T>(work: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), PATIENCE_MS)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}
