import { randomUUID } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Logger } from 'pino'
import { LOG } from '../observability/log.js'
import { Metrics } from '../observability/metrics.js'
import type { RedisClient } from './connect-redis.js'
import { RedisClients } from './redis-clients.js'

type Receive = (channel: string, message: Buffer) => void

const ECHO_MS = 1_000
/** Echoes unheard in a row that count as an outage. Counted, not timed: a busy event loop is no outage. */
const OUTAGE_AFTER = 3
/** A subscriber that stays deaf is replaced after this many more: a reconnecting client is not always able to come back. */
const REPLACE_EVERY = 10
const KEPT_MS = 10_000

/**
 * The subscription of this process to hints, with a check of itself: what the process publishes on a channel of its own must come back, through the
 * publisher, Redis and the subscriber. A connection alone proves little: its other end may have vanished, been paused,
 * or be a master that nobody publishes to any more.
 */
@Injectable()
export class RedisSubscription {
  private readonly echoChannel: string
  private readonly recoveryListeners: (() => void)[] = []
  private readonly outages
  private channels: readonly string[] = []
  private receive: Receive = () => undefined
  private subscriber: RedisClient | undefined
  private timer: NodeJS.Timeout | undefined
  private unheard = 0
  private state: 'unknown' | 'up' | 'down' = 'unknown'
  /** The subscriber has connected again although no outage was counted. */
  private interrupted = false

  constructor(
    private readonly redis: RedisClients,
    metrics: Metrics,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.echoChannel = `${redis.namespace}:echo:${randomUUID()}`
    this.outages = metrics.counter('redis_outages_total', 'How often Redis was away, as this process noticed it')
    metrics.gauge('redis_up', 'Whether hints come back from Redis: 1 or 0; absent where no Redis is used', () =>
      redis.publisher ? Number(this.state === 'up') : undefined,
    )
  }

  /** Once, at start; without Redis nothing is ever received. */
  listen(channels: readonly string[], receive: Receive): void {
    if (!this.redis.publisher) return
    this.channels = [...channels, this.echoChannel]
    this.receive = receive
    this.replaceSubscriber()
    this.timer = setInterval(() => this.beat(), ECHO_MS).unref()
    this.beat()
  }

  /** Redis is back, perhaps before its absence was an outage: messages in between are lost. */
  onRecovered(listener: () => void): void {
    this.recoveryListeners.push(listener)
  }

  close(): void {
    clearInterval(this.timer)
    this.subscriber?.disconnect()
  }

  private beat(): void {
    if (this.unheard === OUTAGE_AFTER && this.state !== 'down') this.lost()
    if (this.unheard >= OUTAGE_AFTER && (this.unheard - OUTAGE_AFTER) % REPLACE_EVERY === 0) this.replaceSubscriber()
    this.unheard += 1
    // A failure needs no word of its own: what was not sent is not heard.
    this.echo().catch(() => undefined)
  }

  /** A replica and a full server let publish, but not write: then locks, limits and jobs would fail. */
  private async echo(): Promise<void> {
    await this.redis.publisher?.set(this.echoChannel, '', 'PX', KEPT_MS)
    await this.redis.publisher?.publish(this.echoChannel, '')
  }

  private replaceSubscriber(): void {
    this.subscriber?.removeAllListeners('messageBuffer').removeAllListeners('ready').disconnect()
    const subscriber = this.redis.openSubscriber()
    this.subscriber = subscriber
    subscriber?.on('messageBuffer', (channel: Buffer, message: Buffer) => this.hear(channel.toString(), message))
    subscriber?.on('ready', () => {
      this.interrupted = this.state === 'up'
      // A failure needs no word of its own here either: the silence tells.
      subscriber.subscribe(...this.channels).catch(() => undefined)
    })
  }

  private hear(channel: string, message: Buffer): void {
    if (channel !== this.echoChannel) return this.receive(channel, message)
    this.unheard = 0
    const { state, interrupted } = this
    this.state = 'up'
    this.interrupted = false
    if (state === 'down') this.log.info('redis is back')
    else if (!interrupted) return
    for (const listener of this.recoveryListeners) listener()
  }

  private lost(): void {
    this.state = 'down'
    this.outages.inc()
    this.log.warn(
      { err: this.redis.lastError },
      'redis is away; continuing without it: delivery waits for the sweep, limits count per process',
    )
  }
}
