import { AsyncLocalStorage } from 'node:async_hooks'
import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../config/config.js'
import { RateLimited, Unavailable } from '../http/problem.js'
import { Buckets } from '../limits/buckets.js'
import { numberOf, type DescribedLimit } from '../limits/described-limit.js'
import { Metrics } from '../observability/metrics.js'
import { FairQueue, QueueFull, type FairQueueLimits } from './fair-queue.js'

export const WORKER_TIME: DescribedLimit = {
  name: 'worker-time',
  holder: 'account',
  what: 'time of worker threads and of slices of the event loop per minute, for what is long because of what an account sends or asks for; also of a peer',
  setting: 'WORKER_TIME_PER_MINUTE',
  refusal: '429 with Retry-After, of what takes worker time; all else goes on',
}
export const WORKER_TURNS_OF_ONE: DescribedLimit & { readonly value: number } = {
  name: 'worker-turns-of-one',
  holder: 'account',
  what: 'pieces of long work that wait for a thread or for the event loop; one is in work',
  value: 8,
  refusal: '429 with Retry-After',
}
export const WORKER_TURNS: DescribedLimit & { readonly value: number } = {
  name: 'worker-turns',
  holder: 'process',
  what: 'pieces of long work that wait, for threads and for the event loop each',
  value: 64,
  refusal: '503 with Retry-After, to the caller with the most pieces waiting',
}
export const WORKER_LIMITS: readonly DescribedLimit[] = [WORKER_TIME, WORKER_TURNS_OF_ONE, WORKER_TURNS]

/**
 * Who pays for work that takes long: each account has so much of it in a minute. What it costs is known only afterwards, so a payer may
 * run into debt, and waits until that is paid off. Work that nobody pays for (states that all members share, jobs) only takes turns.
 */
@Injectable()
export class WorkerTime {
  private readonly payers = new AsyncLocalStorage<string>()
  private readonly budgets: Buckets
  private readonly spent
  private unpaid = 0

  constructor(
    @Inject(CONFIG) config: Pick<Config, 'WORKER_TIME_PER_MINUTE'>,
    private readonly metrics: Metrics,
  ) {
    const burst = config.WORKER_TIME_PER_MINUTE
    this.budgets = new Buckets({ perSecond: burst / 60, burst })
    this.spent = metrics.counter('worker_time_seconds_total', 'Time of worker threads and slices, by who pays for it', ['payer'])
  }

  /** All long work that is begun in `work` is paid for by the account. */
  paidBy<T>(account: string, work: () => Promise<T>): Promise<T> {
    return this.payers.run(account, work)
  }

  /** Turns at one resource: threads, or the event loop. */
  turns(atOnce: number): FairQueue {
    const limits: FairQueueLimits = { atOnce, perHolder: numberOf(WORKER_TURNS_OF_ONE), waiting: numberOf(WORKER_TURNS) }
    return new FairQueue(limits)
  }

  /**
   * Does long work when it is its payer's turn. The work tells how many milliseconds it has taken, also if it fails.
   * @throws RateLimited while the payer is in debt, or has too much waiting; Unavailable while too much waits altogether
   */
  async inTurn<T>(turns: FairQueue, work: (took: (ms: number) => void) => Promise<T>): Promise<T> {
    const payer = this.payers.getStore()
    try {
      return await turns.run(payer ?? `unpaid ${++this.unpaid}`, () => {
        this.refuseDebtor(payer)
        return work((ms) => this.charge(payer, ms))
      })
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error
      const { name } = error.of === 'holder' ? WORKER_TURNS_OF_ONE : WORKER_TURNS
      this.metrics.limitsRefused.inc({ limit: name })
      throw error.of === 'holder' ? new RateLimited(1) : new Unavailable('Too much work is waiting.')
    }
  }

  private refuseDebtor(payer: string | undefined): void {
    const wait = payer === undefined ? 0 : this.budgets.of(payer).waitFor(1)
    if (wait === 0) return
    this.metrics.limitsRefused.inc({ limit: WORKER_TIME.name })
    throw new RateLimited(wait / 1000)
  }

  private charge(payer: string | undefined, ms: number): void {
    this.spent.inc({ payer: payer === undefined ? 'nobody' : 'account' }, ms / 1000)
    if (payer !== undefined) this.budgets.of(payer).spend(ms)
  }
}
