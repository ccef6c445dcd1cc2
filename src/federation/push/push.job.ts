import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { LOG } from '../../platform/observability/log.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { retryDelay } from '../../protocol/retry-policy.js'
import { Admission } from '../peers/admission.js'
import { findPeer, noteFailure, noteSuccess } from '../peers/peers.repository.js'
import { dueGroups, duePeers } from './cursors.repository.js'
import { Deletions } from './deletions.js'
import { Delivery, type Delivered } from './delivery.js'
import { pushFailed } from './push.events.js'

const PUSH_JOB = 'federation.push_v1'
const SWEEP_JOB = 'federation.sweep_v1'
/** A run holds a slot for this long at most; what is left is another run's. */
const RUN_MS = 5_000
const GROUPS_AT_ONCE = 50

/**
 * One lane per peer, in one job at a time: a batch of each group in turn, so that none waits for another's history. A peer that
 * fails waits by itself, in the queue and not in a slot; it is tried again after a while, or as soon as it is heard of.
 */
@Injectable()
export class Push implements OnModuleInit {
  private readonly draining = new AbortController()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION' | 'SWEEP_INTERVAL'>,
    private readonly jobs: Jobs,
    private readonly delivery: Delivery,
    private readonly deletions: Deletions,
    private readonly admission: Admission,
    private readonly events: Events,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION === 'off') return
    this.jobs.process<{ peer: string }>(PUSH_JOB, ({ peer }) => this.run(peer))
    this.jobs.every(SWEEP_JOB, this.config.SWEEP_INTERVAL, () => this.sweep())
  }

  beforeApplicationShutdown(): void {
    this.draining.abort()
  }

  /** Something waits for the peer; asking twice is asking once. */
  wake(peer: string, delayMs = 0): void {
    this.jobs
      .enqueue(PUSH_JOB, { peer }, { dedupeId: `push:${peer}${delayMs > 0 ? ':later' : ''}`, attempts: 1, ...(delayMs > 0 && { delayMs }) })
      .catch((error: unknown) => this.log.warn({ err: error }, 'a push waits for the sweep'))
  }

  /** Finds every peer for which something waits, also after a start. */
  async sweep(): Promise<void> {
    for (const peer of await duePeers(this.pool)) {
      const row = await findPeer(this.pool, peer)
      const waits = row?.paused === true || (row?.retryAt != null && row.retryAt.getTime() > Date.now())
      if (!waits && (await this.admission.admits(peer))) this.wake(peer)
    }
  }

  async run(peer: string): Promise<void> {
    const row = await findPeer(this.pool, peer)
    if (row?.paused || (row?.retryAt != null && row.retryAt.getTime() > Date.now())) return
    if (!(await this.admission.admits(peer))) return
    const outcome = await this.lane(peer, performance.now() + RUN_MS)
    if (this.draining.signal.aborted) return
    if (outcome.kind === 'failed') return this.failed(peer, (row?.failures ?? 0) + 1, outcome)
    if (row && row.failures > 0) await noteSuccess(this.pool, peer)
    if (outcome.kind === 'moved') this.wake(peer)
  }

  /** @returns moved: there may be more */
  private async lane(peer: string, until: number): Promise<Delivered> {
    const deleted = await this.deletions.deliver(peer, this.draining.signal)
    if (deleted.kind === 'failed') return deleted
    let after = 0n
    for (let found = 0; performance.now() < until;) {
      const due = await dueGroups(this.pool, peer, after, GROUPS_AT_ONCE)
      for (const { gid } of due) {
        if (performance.now() >= until) return { kind: 'moved' }
        const outcome = await this.delivery.deliver(peer, gid, this.draining.signal)
        if (outcome.kind === 'failed') return outcome
        found++
        after = gid
      }
      if (due.length === GROUPS_AT_ONCE) continue
      if (found === 0) return deleted
      ;[after, found] = [0n, 0] // round again: there may be more of each
    }
    return { kind: 'moved' }
  }

  private async failed(peer: string, failures: number, { why, retryAfter }: Extract<Delivered, { kind: 'failed' }>): Promise<void> {
    const delay = retryDelay(failures, Math.random(), retryAfter)
    await noteFailure(this.pool, peer, failures, new Date(Date.now() + delay), why)
    pushFailed(this.events, why.slice(0, 40))
    this.wake(peer, delay + 50)
  }
}
