import { Inject, Injectable, type BeforeApplicationShutdown, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import type { Home } from '../../../groups/home/homes.repository.js'
import { Hints } from '../../../platform/hints/hints.js'
import { POOL } from '../../../platform/postgres/sql.js'
import { Pull } from '../replica/pull.js'
import { placeOf, type ReplicaPlace } from './place.repository.js'
import { SharedLooks } from './shared-looks.js'
import { type Wait, Waits } from './waits.js'

/** Milliseconds. */
export interface ArrivalTimes {
  /** An answer is held back for this long at most. */
  readonly longest: number
  /** For which the hub's push is waited for, before the entry is fetched. */
  readonly push: number
  /** Between looks at the database: other nodes may take the batch, and their hints may be lost. */
  readonly look: number
  /** The same for a group of which nothing is here yet: a hint names a row, and nobody knows yet which will be its. */
  readonly lookForFirst: number
  /** Between the end of one fetch that did not bring the entry and the next. */
  readonly fetchAgain: number
}
export const ARRIVAL_TIMES = Symbol('ARRIVAL_TIMES')
const USUAL_ARRIVAL_TIMES: ArrivalTimes = { longest: 3_000, push: 500, look: 250, lookForFirst: 100, fetchAgain: 250 }

/** For how long a hub whose push did not come in time is not waited for, but asked at once. */
const SLOW_MS = 10_000
const MAX_REMEMBERED = 10_000

/** What a hub has accepted. */
export interface AcceptedPlace {
  readonly seq: bigint
  readonly incarnation: number
}

/**
 * Holds the hub's answer back until this provider's copy of the log has the entry. A client that reads the copy finds what it was told
 * of, and everything before it.
 */
@Injectable()
export class Arrivals implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown {
  private readonly waits = new Waits()
  private readonly looks = new SharedLooks<ReplicaPlace | undefined>()
  /** Hubs of which an entry had to be fetched just now. */
  private readonly slow = new LRUCache<string, true>({ max: MAX_REMEMBERED, ttl: SLOW_MS })
  private unsubscribe = (): void => undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly pull: Pull,
    private readonly hints: Hints,
    @Inject(ARRIVAL_TIMES) private readonly times: ArrivalTimes,
  ) {}

  onModuleInit(): void {
    this.unsubscribe = this.waits.listenTo(this.hints)
  }

  onModuleDestroy(): void {
    this.unsubscribe()
  }

  /** Requests that are under way are answered before the process ends. */
  beforeApplicationShutdown(): void {
    this.waits.close()
  }

  /** @returns undefined once the copy has the entry; otherwise, after a bounded time, the seq at which the copy ends */
  async of(home: Home, entry: AcceptedPlace): Promise<bigint | undefined> {
    const wait = this.waits.begin(home.hub)
    try {
      const place = wait ? await this.until(wait, home, entry) : await this.look(home)
      if (holds(place, entry)) return undefined
      if (!place?.ended) this.pull.expect(home.groupId, entry.seq)
      return place?.headSeq ?? 0n
    } finally {
      if (wait) this.waits.end(wait)
    }
  }

  /** @returns where the copy ends when the entry is there, or the time is over */
  private async until(wait: Wait, home: Home, entry: AcceptedPlace): Promise<ReplicaPlace | undefined> {
    const begun = performance.now()
    let fetchAt = begun + (this.slow.has(home.hub) ? 0 : this.times.push)
    for (;;) {
      wait.clear()
      const place = await this.look(home)
      wait.gid = place?.gid
      const now = performance.now()
      const left = begun + this.times.longest - now
      if (holds(place, entry) || place?.ended || left <= 0 || this.waits.isClosed) return place
      if (now >= fetchAt) {
        fetchAt = Infinity
        void this.fetch(home, entry.seq).then((answered) => {
          if (answered) fetchAt = performance.now() + this.times.fetchAgain
          wait.wake()
        })
      }
      const look = place ? this.times.look : this.times.lookForFirst
      await wait.sleep(Math.min(left, look, Math.max(fetchAt - now, 0)))
    }
  }

  private look(home: Home): Promise<ReplicaPlace | undefined> {
    return this.looks.get(`${home.hub} ${Buffer.from(home.groupId).toString('latin1')}`, () => placeOf(this.pool, home))
  }

  /** @returns whether the hub has answered; one that does not is not asked again meanwhile */
  private async fetch(home: Home, seq: bigint): Promise<boolean> {
    try {
      if (await this.pull.now(home, seq)) this.slow.set(home.hub, true)
      return true
    } catch {
      return false
    }
  }
}

function holds(place: ReplicaPlace | undefined, { seq, incarnation }: AcceptedPlace): boolean {
  if (!place) return false
  return place.incarnation > incarnation || (place.incarnation === incarnation && place.headSeq >= seq)
}

/** With the usual times. */
export const ARRIVALS = [Arrivals, { provide: ARRIVAL_TIMES, useValue: USUAL_ARRIVAL_TIMES }]
