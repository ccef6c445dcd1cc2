import { randomUUID } from 'node:crypto'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import type { Logger } from 'pino'
import { LOG } from '../observability/log.js'
import { Metrics } from '../observability/metrics.js'
import type { RedisClient } from '../redis/connect-redis.js'
import { RedisClients } from '../redis/redis-clients.js'
import { RedisSubscription } from '../redis/redis-subscription.js'
import { Secrets } from '../secrets.js'
import { channelOf, HINT_CHANNELS, type Hint, openHints, sealHints } from './hint.js'

const MAX_UNANSWERED = 1_000

type Listener = (hint: Hint) => void

/**
 * Wakes those that wait for something new: in this process at once, on other nodes through Redis.
 * Publish after COMMIT only. Nothing here is ever relied upon: the sweep finds what a lost hint left behind.
 */
@Injectable()
export class Hints implements OnApplicationShutdown {
  private readonly listeners = new Set<Listener>()
  private readonly node = randomUUID()
  private unanswered = 0

  constructor(
    private readonly redis: RedisClients,
    private readonly subscription: RedisSubscription,
    private readonly secrets: Secrets,
    private readonly metrics: Metrics,
    @Inject(LOG) private readonly log: Logger,
  ) {
    subscription.listen(
      HINT_CHANNELS.map((channel) => this.inNamespace(channel)),
      (channel, message) => this.receive(channel, message),
    )
  }

  onApplicationShutdown(): void {
    this.subscription.close()
  }

  /** Never throws and never waits; what cannot be sent is counted and forgotten. */
  publish(hints: readonly Hint[]): void {
    for (const hint of hints) this.deliver(hint)
    const publisher = this.redis.publisher
    if (!publisher || hints.length === 0) return
    for (const [channel, batch] of byChannel(hints)) void this.send(publisher, this.inNamespace(channel), batch)
  }

  /** @returns how to stop listening. A listener filters for itself and must be quick. */
  subscribe(listener: Listener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** Other nodes are heard again, after a time in which they may not have been. */
  onRecovered(listener: () => void): void {
    this.subscription.onRecovered(listener)
  }

  /** A Redis that hangs would otherwise let these pile up in its socket. */
  private async send(publisher: RedisClient, channel: string, batch: readonly Hint[]): Promise<void> {
    if (this.unanswered >= MAX_UNANSWERED) return this.metrics.hintsDropped.inc({ reason: 'backlog' }, batch.length)
    this.unanswered++
    try {
      await publisher.publish(channel, sealHints({ secrets: this.secrets, most: this.redis.mostCarried }, channel, this.node, batch))
    } catch {
      this.metrics.hintsDropped.inc({ reason: 'redis' }, batch.length)
    } finally {
      this.unanswered--
    }
  }

  private receive(channel: string, message: Buffer): void {
    const batch = openHints(this.secrets, channel, message)
    if (!batch) return this.metrics.hintsDropped.inc({ reason: 'forged' })
    if (batch.node === this.node) return
    for (const hint of batch.hints) this.deliver(hint)
  }

  private deliver(hint: Hint): void {
    for (const listener of this.listeners) {
      try {
        listener(hint)
      } catch (error) {
        this.log.error({ err: error, kind: hint.kind }, 'a hint listener failed')
      }
    }
  }

  private inNamespace(channel: string): string {
    return `${this.redis.namespace}:${channel}`
  }
}

function byChannel(hints: readonly Hint[]): Map<string, Hint[]> {
  const batches = new Map<string, Hint[]>()
  for (const hint of hints) {
    const channel = `hint:${channelOf(hint)}`
    const batch = batches.get(channel)
    if (batch) batch.push(hint)
    else batches.set(channel, [hint])
  }
  return batches
}
