import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { LOG } from '../../platform/observability/log.js'
import { Circuits } from './circuits.js'
import { PeerLane } from './peer-lane.js'

const PUSH_JOB = 'federation.push_v1'
const SWEEP_JOB = 'federation.sweep_v1'
/** A run takes this long at most, and one request more; the next run does the rest. */
const RUN_MS = 5_000
/** Peers that one process pushes to at a time. Slow ones wait for the network, and must not keep others from their turn. */
const LANES_AT_ONCE = 64
/** The database's clock decides when a wait is over. */
const SLACK_MS = 50

/**
 * One lane per peer, in one run at a time: a batch of each group in turn, so that none waits for another's history. A job only begins
 * a run, so that no peer's slowness takes up the queue's few slots. A peer that fails is tried again after a back-off, or as soon as it
 * sends a request.
 */
@Injectable()
export class Push implements OnModuleInit {
  private readonly draining = new AbortController()
  private readonly running = new Set<Promise<void>>()

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION' | 'SWEEP_INTERVAL'>,
    private readonly jobs: Jobs,
    private readonly lane: PeerLane,
    private readonly circuits: Circuits,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION === 'off') return
    this.jobs.process<{ peer: string }>(PUSH_JOB, ({ peer }) => this.begin(peer))
    this.jobs.every(SWEEP_JOB, this.config.SWEEP_INTERVAL, () => this.sweep())
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.draining.abort()
    await Promise.all(this.running)
  }

  /** Something waits for the peer; asking twice is asking once. */
  wake(peer: string, delayMs = 0): void {
    this.jobs
      .enqueue(PUSH_JOB, { peer }, { dedupeId: `push:${peer}${delayMs > 0 ? ':later' : ''}`, attempts: 1, ...(delayMs > 0 && { delayMs }) })
      .catch((error: unknown) => this.log.warn({ err: error }, 'a push waits for the sweep'))
  }

  /**
   * Finds every peer for which something waits, also after a start. Not deduplicated: the job of a process that died with it is held
   * by the queue for longer than the lane is.
   */
  async sweep(): Promise<void> {
    for (const peer of await this.circuits.due()) await this.jobs.enqueue(PUSH_JOB, { peer }, { attempts: 1 })
  }

  /** Waits only while as many runs are under way as may be. Which of a peer's runs continues, the lane decides: no wake is passed over. */
  private async begin(peer: string): Promise<void> {
    while (this.running.size >= LANES_AT_ONCE) await Promise.race(this.running)
    if (this.draining.signal.aborted) return
    const run: Promise<void> = this.run(peer)
      .catch((error: unknown) => this.log.error({ err: error }, 'a push failed'))
      .finally(() => this.running.delete(run))
    this.running.add(run)
  }

  private async run(peer: string): Promise<void> {
    const hold = await this.circuits.enter(peer)
    if (!hold) return
    const signal = AbortSignal.any([this.draining.signal, hold.lost])
    const outcome = await this.lane.run(peer, performance.now() + RUN_MS, signal).catch(unexpected)
    if ('error' in outcome) {
      await this.circuits.leave(peer, hold, { kind: 'failed', why: 'A push failed here.', retryAfter: undefined })
      throw outcome.error
    }
    const interrupted = signal.aborted && outcome.kind === 'failed'
    const waitMs = await this.circuits.leave(peer, hold, interrupted ? { kind: 'moved' } : outcome)
    if (this.draining.signal.aborted) return
    if (waitMs > 0) this.wake(peer, waitMs + SLACK_MS)
    else if (outcome.kind === 'level' && outcome.againMs !== undefined) this.wake(peer, outcome.againMs + SLACK_MS)
    // What came while the lane was ours found it taken.
    if (waitMs === 0 && (outcome.kind === 'moved' || (await this.circuits.due()).includes(peer))) this.wake(peer)
  }
}

function unexpected(error: unknown): { error: unknown } {
  return { error }
}
