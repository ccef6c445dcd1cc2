import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../config/config.js'
import { connectRedis, type RedisClient } from './connect-redis.js'
import { redisTarget, type RedisSettings, type RedisTarget } from './redis-target.js'

/** The connections to Redis of one process, or none of them without REDIS_URL. Redis carries hints, never facts. */
@Injectable()
export class RedisClients {
  /** For commands that may fail: nothing waits while Redis is away, nothing is sent late. */
  readonly publisher: RedisClient | undefined
  /** In front of every key and channel: domains may share one Redis, and its channels are not separated by database. */
  readonly namespace: string
  /** Bytes of log entries that a hint takes along. */
  readonly mostCarried: number
  /** Why the last attempt to reach Redis failed. */
  lastError: Error | undefined
  private readonly target: RedisTarget | undefined

  constructor(@Inject(CONFIG) config: RedisSettings & Pick<Config, 'DOMAIN'> & Partial<Pick<Config, 'REDIS_CARRIED_BYTES'>>) {
    this.mostCarried = config.REDIS_CARRIED_BYTES ?? 0
    this.namespace = redisNamespace(config)
    this.target = redisTarget(config)
    if (this.target) this.publisher = this.remembering(connectRedis(this.target, 'fail-fast'))
  }

  /** A connection that subscribes can do nothing else; it may wait for Redis to come back. The caller closes it. */
  openSubscriber(): RedisClient | undefined {
    return this.target && this.remembering(connectRedis(this.target, 'wait'))
  }

  close(): void {
    this.publisher?.disconnect()
  }

  /** Every attempt to reconnect raises an error; the code that notices the outage logs it once, with the reason. */
  private remembering(client: RedisClient): RedisClient {
    return client.on('error', (error: Error) => {
      this.lastError = error
    })
  }
}

/** `microchat:<DOMAIN>`, without a colon at its end. */
export function redisNamespace(config: Pick<Config, 'DOMAIN'>): string {
  return `microchat:${config.DOMAIN}`
}
