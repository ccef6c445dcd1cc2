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
  what: 'time on worker threads and in slices of the event loop per minute, for long work that an account or a peer causes',
  setting: 'WORKER_TIME_PER_MINUTE',
  refusal: '429 with Retry-After for requests that need worker time; others are served',
}
export const WORKER_QUEUE_PER_ACCOUNT: DescribedLimit & { readonly value: number } = {
  name: 'worker-turns-of-one',
  holder: 'account',
  what: 'queued pieces of long work; one more is running',
  value: 8,
  refusal: '429 with Retry-After',
}
export const WORKER_QUEUE: DescribedLimit & { readonly value: number } = {
  name: 'worker-turns',
  holder: 'process',
  what: 'queued pieces of long work, for threads and for the event loop separately',
  value: 64,
  refusal: '503 with Retry-After, to the caller with the most pieces waiting',
}
export const WORKER_LIMITS: readonly DescribedLimit[] = [WORKER_TIME, WORKER_QUEUE_PER_ACCOUNT, WORKER_QUEUE]

/**
 * Limits the time that each account's long-running work may take per minute. The cost is known only afterwards, so an account can go into
 * debt; until that is paid off its long work is refused with 429. Work that no account pays for (state that all members share, jobs) only
 * queues.
 */
@Injectable()
export class WorkerTime {
  private readonly payers = new AsyncLocalStorage<string>()
  private readonly budgets: Buckets
  private readonly secondsCounter
  private unpaid = 0

  constructor(
    @Inject(CONFIG) config: Pick<Config, 'WORKER_TIME_PER_MINUTE'>,
    private readonly metrics: Metrics,
  ) {
    const burst = config.WORKER_TIME_PER_MINUTE
    this.budgets = new Buckets({ perSecond: burst / 60, burst })
    const help = 'Time of worker threads and slices, by who pays for it (a peer counts as an account)'
    this.secondsCounter = metrics.counter('worker_time_seconds_total', help, ['payer'])
  }

  /** Charges all long work begun within `work` to `account`: a user URI, or the domain of another provider. */
  chargeTo<T>(account: string, work: () => Promise<T>): Promise<T> {
    return this.payers.run(account, work)
  }

  /** A queue for one resource: worker threads, or the event loop. */
  newQueue(atOnce: number): FairQueue {
    const limits: FairQueueLimits = { atOnce, perHolder: numberOf(WORKER_QUEUE_PER_ACCOUNT), waiting: numberOf(WORKER_QUEUE) }
    return new FairQueue(limits)
  }

  /**
   * Runs long work in its account's turn. The work reports its milliseconds through `took`, even if it fails.
   * @throws RateLimited while the payer is in debt, or has too much waiting; Unavailable while the whole queue is full
   */
  async runInTurn<T>(queue: FairQueue, work: (took: (ms: number) => void) => Promise<T>): Promise<T> {
    const payer = this.payers.getStore()
    try {
      return await queue.run(payer ?? `unpaid ${++this.unpaid}`, () => {
        this.refuseDebtor(payer)
        return work((ms) => this.charge(payer, ms))
      })
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error
      this.refused(error.of === 'holder' ? WORKER_QUEUE_PER_ACCOUNT : WORKER_QUEUE)
      throw error.of === 'holder' ? new RateLimited(1) : new Unavailable('Too much work is waiting.')
    }
  }

  private refuseDebtor(payer: string | undefined): void {
    const wait = payer === undefined ? 0 : this.budgets.of(payer).waitFor(1)
    if (wait === 0) return
    this.refused(WORKER_TIME)
    throw new RateLimited(wait / 1000)
  }

  private refused({ name }: DescribedLimit): void {
    this.metrics.limitsRefused.inc({ limit: name })
  }

  private charge(payer: string | undefined, ms: number): void {
    this.secondsCounter.inc({ payer: payer === undefined ? 'nobody' : 'account' }, ms / 1000)
    if (payer !== undefined) this.budgets.of(payer).spend(ms)
  }
}
