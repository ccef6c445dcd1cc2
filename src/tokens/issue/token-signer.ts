import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import type { Logger } from 'pino'
import { RateLimited, Unavailable, Undecodable } from '../../platform/http/problem.js'
import { Buckets } from '../../platform/limits/buckets.js'
import { Events } from '../../platform/observability/events.js'
import { LOG } from '../../platform/observability/log.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { FairQueue, QueueFull } from '../../platform/workers/fair-queue.js'
import { WorkerFailure, workerFile, WorkerPool } from '../../platform/workers/worker-pool.js'
import { MODULUS_BYTES } from '../../protocol/privacy-pass/issuance.js'
import type { IssuerKey } from '../keys/issuer-keys.js'
import { BATCHES_WAITING, BATCHES_WAITING_OF_ONE, TOKENS_SIGNED_AGAIN } from './tokens.limits.js'
import type { SigningTask } from './signing-worker.js'
import { numberOf } from '../../platform/limits/described-limit.js'

const THREADS = 2
const HEAP_MEGABYTES = 64

/** The signatures of batches, 0.3 ms each, by threads of their own; holders take turns, so that no holder's batches all come first. */
@Injectable()
export class TokenSigner implements OnApplicationShutdown {
  private readonly workers = new WorkerPool(workerFile(import.meta.url, 'signing-worker'), {
    threads: THREADS,
    queue: THREADS,
    heapMegabytes: HEAP_MEGABYTES,
  })
  private readonly turns = new FairQueue({
    atOnce: THREADS,
    perHolder: numberOf(BATCHES_WAITING_OF_ONE),
    waiting: numberOf(BATCHES_WAITING),
  })
  private readonly again = new Buckets({ perSecond: numberOf(TOKENS_SIGNED_AGAIN) / 60, burst: numberOf(TOKENS_SIGNED_AGAIN) })
  private readonly signed

  constructor(
    private readonly metrics: Metrics,
    private readonly events: Events,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.signed = metrics.counter('tokens_signed_total', 'Signatures of send tokens that were computed, not taken from what is kept')
    metrics.gauge('token_batches_waiting', 'Batches of send tokens that wait for a thread', () => this.turns.waiting)
  }

  /**
   * Does a holder's work when it is its turn, and no two pieces of one holder at once.
   * @throws RateLimited, Unavailable if too much waits already
   */
  async inTurn<T>(holder: string, work: () => Promise<T>): Promise<T> {
    try {
      return await this.turns.run(holder, work)
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error
      const { name } = error.of === 'holder' ? BATCHES_WAITING_OF_ONE : BATCHES_WAITING
      this.metrics.limitsRefused.inc({ limit: name })
      throw error.of === 'holder' ? new RateLimited(1) : new Unavailable('Too many batches of tokens wait to be signed.')
    }
  }

  /**
   * For a batch that was counted before, and whose answer is not kept.
   * @throws RateLimited
   */
  permitAgain(holder: string): void {
    const wait = this.again.take(holder)
    if (wait === 0) return
    this.metrics.limitsRefused.inc({ limit: TOKENS_SIGNED_AGAIN.name })
    throw new RateLimited(wait / 1000)
  }

  /**
   * To be called in turn.
   * @param blinded messages, one after the other
   * @returns as many signatures
   * @throws Undecodable, Unavailable
   */
  async sign({ privateKey }: IssuerKey, blinded: Uint8Array): Promise<Uint8Array> {
    const signatures = await this.inThread({ privateKey, blinded })
    if (!signatures) throw new Undecodable('A blinded message is not below the modulus.')
    this.signed.inc(blinded.length / MODULUS_BYTES)
    // Without the holder: what is issued and what is spent must not meet in a log.
    this.events.record('tokens.issued', { tokens: blinded.length / MODULUS_BYTES })
    return signatures
  }

  async onApplicationShutdown(): Promise<void> {
    await this.workers.close()
  }

  private async inThread(task: SigningTask): Promise<Uint8Array | undefined> {
    try {
      return await this.workers.run<Uint8Array | undefined>('signBatch', task)
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error
      this.log.error({ err: error }, 'a worker thread did not finish signing tokens')
      throw new Unavailable('Tokens cannot be signed right now.')
    }
  }
}
