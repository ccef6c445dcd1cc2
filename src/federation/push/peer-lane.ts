import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { POOL } from '../../platform/postgres/sql.js'
import { UserErasures } from '../erasure/user-erasures.js'
import { absolveCursors, dueGroups } from './cursors.repository.js'
import { Deletions } from './deletions.js'
import { Delivery, type Delivered } from './delivery.js'
import { Tries, type Suspect } from './tries.js'

const GROUPS_AT_ONCE = 50
/** How often a peer may correct its place in a group within one run; after a restore it does so once. */
const RELOCATIONS = 3
const MAX_REMEMBERED = 10_000

/** One run for one peer: a batch of each due group in turn, so that no group waits for the history of another. */
@Injectable()
export class PeerLane {
  /** Peers that took nothing in their last runs. */
  private readonly suspects = new LRUCache<string, Suspect>({ max: MAX_REMEMBERED })

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
    const tries = new Tries(this.suspects.get(peer))
    const ended = tries.verdict(await this.groups(peer, until, signal, tries))
    const suspect = tries.suspect(ended)
    if (suspect) this.suspects.set(peer, suspect)
    else this.suspects.delete(peer)
    if (suspect && ended.kind === 'failed') {
      await absolveCursors(this.pool, peer, [...suspect.failed])
      return ended
    }
    const againMs = await this.postpone(peer, tries)
    if (ended.kind !== 'level') return ended
    return [erased, deleted].find(({ kind }) => kind === 'moved') ?? { kind: 'level', ...(againMs !== undefined && { againMs }) }
  }

  private async groups(peer: string, until: number, signal: AbortSignal, tries: Tries): Promise<Delivered> {
    const relocations = new Map<bigint, number>()
    let { after } = tries
    let fromStart = after === 0n
    for (let found = 0; performance.now() < until;) {
      const due = await dueGroups(this.pool, peer, after, GROUPS_AT_ONCE)
      for (const group of due) {
        const { gid } = group
        after = gid
        if (tries.hasFailed(gid)) continue
        if (performance.now() >= until) return { kind: 'moved' }
        const outcome = await this.delivery.deliver(peer, gid, signal)
        tries.note(group, outcome)
        if (outcome.kind === 'failed') return outcome
        if (tries.exhausted) return { kind: 'level' }
        if (outcome.kind === 'relocated' && exceeded(relocations, gid))
          await this.delivery.stop(peer, gid, 'The peer names one place after another, and takes nothing.')
        found++
      }
      if (due.length === GROUPS_AT_ONCE) continue
      if (found === 0 && fromStart) return { kind: 'level' }
      ;[after, found, fromStart] = [0n, 0, true] // round again: there may be more of each
    }
    return { kind: 'moved' }
  }

  /** @returns milliseconds until the first of those that could not be taken is tried again */
  private async postpone(peer: string, tries: Tries): Promise<number | undefined> {
    const delays: number[] = []
    for (const [gid, outcome] of tries.postponed) delays.push(await this.delivery.postpone(peer, gid, outcome))
    return delays.length > 0 ? Math.min(...delays) : undefined
  }
}

function exceeded(counts: Map<bigint, number>, gid: bigint): boolean {
  const count = (counts.get(gid) ?? 0) + 1
  counts.set(gid, count)
  return count > RELOCATIONS
}
