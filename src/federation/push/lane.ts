import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { dueGroups } from './cursors.repository.js'
import { Deletions } from './deletions.js'
import { Delivery, type Delivered } from './delivery.js'

const GROUPS_AT_ONCE = 50

/** What waits for one peer: a batch of each group in turn, so that none waits for another's history. */
@Injectable()
export class Lane {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly delivery: Delivery,
    private readonly deletions: Deletions,
  ) {}

  /** @returns moved: time is up, and there may be more */
  async run(peer: string, until: number, signal: AbortSignal): Promise<Delivered> {
    const deleted = await this.deletions.deliver(peer, signal)
    if (deleted.kind === 'failed') return deleted
    let after = 0n
    for (let found = 0; performance.now() < until;) {
      const due = await dueGroups(this.pool, peer, after, GROUPS_AT_ONCE)
      for (const { gid } of due) {
        if (performance.now() >= until) return { kind: 'moved' }
        const outcome = await this.delivery.deliver(peer, gid, signal)
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
}
