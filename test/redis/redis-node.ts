import { randomBytes } from 'node:crypto'
import type { Hint } from '../../src/platform/hints/hint.js'
import { Hints } from '../../src/platform/hints/hints.js'
import { Limits } from '../../src/platform/limits/limits.js'
import { createLog } from '../../src/platform/observability/log.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { CommitLock } from '../../src/platform/redis/commit-lock.js'
import { RedisClients } from '../../src/platform/redis/redis-clients.js'
import { RedisSubscription } from '../../src/platform/redis/redis-subscription.js'
import type { RedisSettings } from '../../src/platform/redis/redis-target.js'
import { Secrets } from '../../src/platform/secrets.js'
import { eventually } from '../support/eventually.js'

const log = createLog({ LOG_LEVEL: 'silent' })
export const SERVER_SECRET = randomBytes(32).toString('base64')

/** Everything of one node that speaks to Redis, without the rest of it. */
export class RedisNode {
  readonly clients: RedisClients
  readonly hints: Hints
  readonly lock: CommitLock
  readonly limits: Limits
  readonly heard: Hint[] = []
  recoveries = 0
  private readonly metrics = new Metrics()
  private readonly subscription: RedisSubscription

  constructor(settings: RedisSettings & { DOMAIN: string }) {
    const secrets = new Secrets({ SERVER_SECRET })
    this.clients = new RedisClients(settings)
    this.subscription = new RedisSubscription(this.clients, this.metrics, log)
    this.hints = new Hints(this.clients, this.subscription, secrets, this.metrics, log)
    this.lock = new CommitLock(this.clients, this.metrics)
    this.limits = new Limits(this.clients, secrets, this.metrics)
    this.hints.subscribe((hint) => this.heard.push(hint))
    this.hints.onRecovered(() => this.recoveries++)
  }

  /** Sum over all labels; undefined if it shows nothing. */
  async read(metric: string): Promise<number | undefined> {
    const found = await this.metrics.registry.getSingleMetric(metric)?.get()
    return found?.values.length ? found.values.reduce((sum, { value }) => sum + value, 0) : undefined
  }

  /** Waits until what is said through Redis comes back (or no longer does). */
  async until(state: 'up' | 'down'): Promise<void> {
    await eventually(
      () => this.read('redis_up'),
      (up) => up === (state === 'up' ? 1 : 0) && (state === 'down' || this.clients.publisher?.status === 'ready'),
    )
  }

  close(): void {
    this.subscription.close()
    this.clients.close()
  }
}

/** Says something new again and again until the other node hears it: what was said before may be lost. */
export async function hears(listener: RedisNode, speaker: RedisNode): Promise<void> {
  let headSeq = 0n
  const gid = BigInt(Math.floor(Math.random() * 1e9))
  await eventually(() => {
    speaker.hints.publish([{ kind: 'group', gid, headSeq: ++headSeq }])
    return listener.heard.some((hint) => hint.kind === 'group' && hint.gid === gid)
  }, Boolean)
}

/** How many were inside at once, of several who wanted to be. */
export async function mostInside(nodes: readonly RedisNode[], key: string): Promise<number> {
  let [inside, most] = [0, 0]
  const work = async () => {
    most = Math.max(most, ++inside)
    await new Promise((resolve) => setTimeout(resolve, 10))
    inside--
  }
  await Promise.all([...nodes, ...nodes].map(({ lock }) => lock.withLock(key, work)))
  return most
}
