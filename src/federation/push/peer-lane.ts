import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { UserErasures } from '../erasure/user-erasures.js'
import { dueGroups } from './cursors.repository.js'
import { Deletions } from './deletions.js'
import { Delivery, type Delivered } from './delivery.js'

const GROUPS_AT_ONCE = 50
/** How often a peer may correct its place in a group within one run; after a restore it does so once. */
const RELOCATIONS = 3
/** Groups one after the other that the peer cannot take, and none that it can: then it is the peer. */
const FAILURES_IN_A_ROW = 3

/** One run for one peer: a batch of each due group in turn, so that no group waits for the history of another. */
@Injectable()
export class PeerLane {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly delivery: Delivery,
    private readonly deletions: Deletions,
    private readonly erasures: UserErasures,
  ) {}

  /** @returns moved: time is up, and there may be more; failed also for a peer that could not take several groups in a row */
  async run(peer: string, until: number, signal: AbortSignal): Promise<Delivered> {
    const now = performance.now()
    const deleted = await this.deletions.deliver(peer, now + (until - now) / 2, signal)
    if (deleted.kind === 'failed') return deleted
    const erased = await this.erasures.deliver(peer, now + (until - now) / 2, signal)
    if (erased.kind === 'failed') return erased
    const relocations = new Map<bigint, number>()
    const tries = new Tries()
    let after = 0n
    for (let found = 0; performance.now() < until;) {
      const due = await dueGroups(this.pool, peer, after, GROUPS_AT_ONCE)
      for (const { gid } of due) {
        if (performance.now() >= until) return { kind: 'moved' }
        const outcome = await this.delivery.deliver(peer, gid, signal)
        if (outcome.kind === 'failed' || tries.exhausted(outcome)) return outcomeOfPeer(outcome)
        if (outcome.kind === 'relocated' && exceeded(relocations, gid))
          await this.delivery.stop(peer, gid, 'The peer names one place after another, and takes nothing.')
        found++
        after = gid
      }
      if (due.length === GROUPS_AT_ONCE) continue
      if (found === 0) return [erased, deleted].find(({ kind }) => kind === 'moved') ?? tries.level()
      ;[after, found] = [0n, 0] // round again: there may be more of each
    }
    return { kind: 'moved' }
  }
}

/** What a run has met of groups that wait by themselves. */
class Tries {
  private inARow = 0
  private soonestMs = Infinity

  /** Whether the peer cannot take anything, as far as this run has seen. */
  exhausted(outcome: Delivered): boolean {
    if (outcome.kind === 'postponed') this.soonestMs = Math.min(this.soonestMs, outcome.delayMs)
    this.inARow = outcome.kind === 'postponed' ? this.inARow + 1 : 0
    return this.inARow >= FAILURES_IN_A_ROW
  }

  level(): Delivered {
    return { kind: 'level', ...(this.soonestMs < Infinity && { againMs: this.soonestMs }) }
  }
}

function outcomeOfPeer(outcome: Delivered): Delivered {
  return outcome.kind === 'postponed' ? { kind: 'failed', why: outcome.why, retryAfter: outcome.retryAfter } : outcome
}

function exceeded(counts: Map<bigint, number>, gid: bigint): boolean {
  const count = (counts.get(gid) ?? 0) + 1
  counts.set(gid, count)
  return count > RELOCATIONS
}
