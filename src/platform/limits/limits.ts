import { Injectable } from '@nestjs/common'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible'
import { RateLimited } from '../http/problem.js'
import { Metrics } from '../observability/metrics.js'
import { RedisClients } from '../redis/redis-clients.js'
import { numberOf } from './described-limit.js'
import { Secrets } from '../secrets.js'

/**
 * At most `points` takes in any window of `seconds`. The name keeps the counters of different rules apart;
 * `src/app/limits/rate-limits.ts` has a row for each.
 */
export interface Limit {
  readonly name: string
  readonly points: number
  readonly seconds: number
  /** A counter for each key, shared with no other: for keys that nobody can invent, and numbers that are shown. */
  readonly exact?: true
}

/** Enough that two keys rarely share a counter, few enough that inventing keys costs no memory. */
const COUNTERS = 2 ** 16

/**
 * Counts what each key does, on Redis for all nodes together where there is one, else (and while it is away) per process.
 * A key falls by a keyed hash into one of 65,536 counters per rule, unless the rule is exact: memory stays bounded no matter who asks, and
 * neither Redis nor a heap dump holds an address or a name.
 */
@Injectable()
export class Limits {
  private readonly limiters = new Map<string, RateLimiterAbstract>()
  private readonly countedHere

  constructor(
    private readonly redis: RedisClients,
    private readonly secrets: Secrets,
    private readonly metrics: Metrics,
  ) {
    this.countedHere = metrics.counter('limits_local_total', 'What was counted per process, as Redis was away: limits are then laxer')
  }

  /** @throws RateLimited (429 with Retry-After); where the counter is exact, it says how much is used, and what was refused does not count */
  async take(limit: Limit, key: string, points = 1): Promise<void> {
    try {
      await this.limiter(limit).consume(this.counter(limit, key), points)
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal
      this.metrics.limitsRefused.inc({ limit: limit.name })
      const seconds = refusal.msBeforeNext / 1000
      if (!limit.exact) throw new RateLimited(seconds)
      await this.giveBack(limit, key, points)
      throw new RateLimited(seconds, { used: refusal.consumedPoints - points, allowed: this.limiter(limit).points })
    }
  }

  /** Undoes a take. */
  async giveBack(limit: Limit, key: string, points = 1): Promise<void> {
    await this.limiter(limit).reward(this.counter(limit, key), points)
  }

  /** What a key has taken in its present window, and what it may. */
  async used(limit: Limit, key: string): Promise<{ used: number; allowed: number }> {
    const limiter = this.limiter(limit)
    const counted = await limiter.get(this.counter(limit, key))
    return { used: counted?.consumedPoints ?? 0, allowed: limiter.points }
  }

  private limiter(limit: Limit): RateLimiterAbstract {
    const known = this.limiters.get(limit.name)
    if (known !== undefined) return known
    const options = {
      keyPrefix: `${this.redis.namespace}:limit:${limit.name}`,
      points: numberOf({ name: limit.name, value: limit.points }),
      duration: limit.seconds,
    }
    const { publisher } = this.redis
    const limiter =
      publisher === undefined
        ? new RateLimiterMemory(options)
        : new RateLimiterRedis({
            ...options,
            storeClient: publisher,
            rejectIfRedisNotReady: true,
            insuranceLimiter: new Insurance(options, () => this.countedHere.inc()),
          })
    this.limiters.set(limit.name, limiter)
    return limiter
  }

  private counter({ name, exact }: Limit, key: string): string {
    const pseudonym = this.secrets.pseudonym('limits v2', `${name}\0${key}`)
    return exact ? pseudonym : String(Number.parseInt(pseudonym.slice(0, 8), 16) % COUNTERS)
  }
}

/** Counts in memory while Redis cannot, and says so. */
class Insurance extends RateLimiterMemory {
  constructor(
    options: ConstructorParameters<typeof RateLimiterMemory>[0],
    private readonly used: () => void,
  ) {
    super(options)
  }

  override consume(key: string, points?: number): Promise<RateLimiterRes> {
    this.used()
    return super.consume(key, points)
  }
}
