import { Inject, Injectable } from '@nestjs/common'
import { Redis, type RedisOptions } from 'ioredis'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../config/config.js'
import { LOG } from '../observability/log.js'

type ConnectionOptions = Pick<RedisOptions, 'enableOfflineQueue' | 'maxRetriesPerRequest' | 'commandTimeout'>

const RETRY_CEILING_MS = 2_000

/** The connections to Redis of one process, or none of them without REDIS_URL. Redis carries hints, never facts. */
@Injectable()
export class RedisClients {
  /** For commands that may fail: nothing waits while Redis is away, nothing is sent late. */
  readonly publisher: Redis | undefined
  /** A connection that subscribes can do nothing else; it may wait for Redis to come back. */
  readonly subscriber: Redis | undefined

  constructor(
    @Inject(CONFIG) config: Pick<Config, 'REDIS_URL'>,
    @Inject(LOG) private readonly log: Logger,
  ) {
    if (!config.REDIS_URL) return
    this.publisher = this.connect(config.REDIS_URL, { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 1_000 })
    this.subscriber = this.connect(config.REDIS_URL, { maxRetriesPerRequest: null })
  }

  async close(): Promise<void> {
    for (const client of [this.publisher, this.subscriber]) client?.disconnect()
  }

  private connect(url: string, options: ConnectionOptions): Redis {
    const client = new Redis(url, { ...options, retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), RETRY_CEILING_MS) })
    let lost = false
    client.on('ready', () => {
      if (lost) this.log.info('redis is back')
      lost = false
    })
    // Every attempt to reconnect raises one: say it once per outage.
    client.on('error', (error: Error) => {
      if (!lost) this.log.warn({ err: error }, 'redis is not reachable; going on without')
      lost = true
    })
    return client
  }
}
