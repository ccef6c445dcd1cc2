import { AsyncLocalStorage } from 'node:async_hooks'
import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { RateLimited } from '../../platform/http/problem.js'
import { Bucket } from '../../platform/limits/buckets.js'
import { numberOf, type DescribedLimit } from '../../platform/limits/described-limit.js'
import { Limits } from '../../platform/limits/limits.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { sleep } from '../../platform/timing.js'
import { FairQueue, QueueFull } from '../../platform/workers/fair-queue.js'

/** For whom this server looks at another provider. `server`: for itself, as in jobs. */
export type Asker =
  | { readonly kind: 'address'; readonly name: string }
  | { readonly kind: 'peer'; readonly name: string }
  | { readonly kind: 'account'; readonly name: string }
  | { readonly kind: 'server'; readonly name: '' }

const REFUSAL = '429 with Retry-After'
/** What one asker may cause in a minute, by kind. */
const OF_ONE = {
  address: {
    name: 'new-peers-of-address',
    holder: 'address',
    what: 'providers that this server has never met and is made to look at by unverified requests, per minute',
    value: 10,
    refusal: REFUSAL,
  },
  peer: {
    name: 'new-peers-of-peer',
    holder: 'peer',
    what: 'providers that this server has never met and is made to look at by requests of this one, per minute',
    value: 10,
    refusal: REFUSAL,
  },
  account: {
    name: 'new-peers-of-account',
    holder: 'account',
    what: 'providers that this server has never met and is made to look at by this account, per minute',
    value: 30,
    refusal: REFUSAL,
  },
} as const satisfies Record<Exclude<Asker['kind'], 'server'>, DescribedLimit>

/** Those who have to wait for the total are served in turn. */
const WAITING_OF_ONE: DescribedLimit & { readonly value: number } = {
  name: 'new-peers-waiting-of-one',
  holder: 'process',
  what: 'first looks at providers that wait for their turn, of one address, peer or account',
  value: 4,
  refusal: REFUSAL,
}
const WAITING: DescribedLimit & { readonly value: number } = {
  name: 'new-peers-waiting',
  holder: 'process',
  what: 'first looks at providers that wait for their turn, of strangers and of own users separately',
  value: 256,
  refusal: '429 with Retry-After, to the asker with the most waiting',
}
const total = (name: string, what: string): DescribedLimit => ({
  name,
  holder: 'process',
  what: `${what}, per minute; askers take turns`,
  setting: 'FEDERATION_NEW_PEERS_PER_MINUTE',
  refusal: `${REFUSAL}, after some seconds in turn`,
})
const OF_ALL = {
  inbound: total('new-peers-inbound', 'first looks at providers because of requests that come in'),
  outbound: total('new-peers-outbound', 'first looks at providers for own users'),
}

export const FIRST_LOOK_LIMITS: readonly DescribedLimit[] = [...Object.values(OF_ONE), ...Object.values(OF_ALL), WAITING_OF_ONE, WAITING]

/** A peer gives a request up after ten seconds. */
const PATIENCE_MS = 5_000

/**
 * Looks at providers that this server has never met: each makes it send a request to wherever the name leads. The one that asks pays, also for
 * what its request causes far below: the address until a signature was found to be right, then the peer; our users by account. What all
 * may cause together is given out in turns, so that none of them uses it up for the others; strangers use nothing of what own users have.
 */
@Injectable()
export class FirstLooks {
  private readonly askers = new AsyncLocalStorage<Asker>()
  private readonly inbound: Turns
  private readonly outbound: Turns

  constructor(
    @Inject(CONFIG) { FEDERATION_NEW_PEERS_PER_MINUTE: perMinute }: Pick<Config, 'FEDERATION_NEW_PEERS_PER_MINUTE'>,
    private readonly limits: Limits,
    private readonly metrics: Metrics,
  ) {
    this.inbound = new Turns(perMinute)
    this.outbound = new Turns(perMinute)
  }

  /** Charges all first looks begun within `work` to an asker. */
  chargeTo<T>(asker: Asker, work: () => T): T {
    return this.askers.run(asker, work)
  }

  get asker(): Asker {
    return this.askers.getStore() ?? { kind: 'server', name: '' }
  }

  /** Takes one first look from the budget of the asker, and one of all. @throws RateLimited */
  async take(): Promise<void> {
    const { kind, name } = this.asker
    if (kind !== 'server') {
      const limit = OF_ONE[kind]
      await this.limits.take({ name: limit.name, points: numberOf(limit), seconds: 60 }, name)
    }
    const side = kind === 'address' || kind === 'peer' ? 'inbound' : 'outbound'
    const refused = await this[side].take(`${kind} ${name}`)
    if (!refused) return
    this.metrics.limitsRefused.inc({ limit: (refused.limit ?? OF_ALL[side]).name })
    throw new RateLimited(refused.seconds)
  }
}

/** So many a minute, to those who ask in turn. */
class Turns {
  private readonly bucket: Bucket
  private readonly queue = new FairQueue({ atOnce: 1, perHolder: numberOf(WAITING_OF_ONE), waiting: numberOf(WAITING) })

  constructor(private readonly perMinute: number) {
    this.bucket = new Bucket({ perSecond: perMinute / 60, burst: perMinute })
  }

  /** @returns why not, and in how many seconds it may be asked again; undefined if one was given */
  async take(holder: string): Promise<{ limit?: DescribedLimit; seconds: number } | undefined> {
    if (this.queue.waiting === 0 && this.bucket.take() === 0) return undefined
    const until = performance.now() + PATIENCE_MS
    try {
      return await this.queue.run(holder, () => this.next(until))
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error
      return { limit: error.of === 'holder' ? WAITING_OF_ONE : WAITING, seconds: 60 / this.perMinute }
    }
  }

  private async next(until: number): Promise<{ seconds: number } | undefined> {
    const wait = this.bucket.waitFor()
    if (performance.now() + wait > until) return { seconds: wait / 1000 }
    if (wait > 0) await sleep(wait)
    this.bucket.spend(1)
    return undefined
  }
}
