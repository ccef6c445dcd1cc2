import { Injectable } from '@nestjs/common'
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible'
import { RateLimited } from '../http/problem.js'
import { RedisClients } from '../redis/redis-clients.js'
import { Secrets } from '../secrets/secrets.js'

/** At most `points` takes in any window of `seconds`. The name keeps the counters of different rules apart. */
export interface Limit {
  readonly name: string
  readonly points: number
  readonly seconds: number
}

/** Enough that two keys rarely share a counter, few enough that inventing keys costs no memory. */
const COUNTERS = 2 ** 16

/**
 * Counts what each key does, on Redis for all nodes together where there is one, else (and while it is away) per process.
 * A key falls by a keyed hash into one of 65,536 counters per rule: memory stays bounded whoever asks, and neither Redis
 * nor a heap dump holds an address.
 */
@Injectable()
export class Limits {
  private readonly limiters = new Map<string, RateLimiterAbstract>()

  constructor(
    private readonly redis: RedisClients,
    private readonly secrets: Secrets,
  ) {}

  /** @throws RateLimited (429 with Retry-After) */
  async take(limit: Limit, key: string, points = 1): Promise<void> {
    try {
      await this.limiter(limit).consume(this.counter(limit.name, key), points)
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) throw new RateLimited(refusal.msBeforeNext / 1000)
      throw refusal
    }
  }

  private limiter(limit: Limit): RateLimiterAbstract {
    const known = this.limiters.get(limit.name)
    if (known !== undefined) return known
    const options = { keyPrefix: `limit:${limit.name}`, points: limit.points, duration: limit.seconds }
    const memory = new RateLimiterMemory(options)
    const limiter =
      this.redis.publisher === undefined
        ? memory
        : new RateLimiterRedis({ ...options, storeClient: this.redis.publisher, rejectIfRedisNotReady: true, insuranceLimiter: memory })
    this.limiters.set(limit.name, limiter)
    return limiter
  }

  private counter(name: string, key: string): string {
    const mac = Buffer.from(this.secrets.mac('limits v1', Buffer.from(`${name}\0${key}`)))
    return String(mac.readUInt32BE(0) % COUNTERS)
  }
}
