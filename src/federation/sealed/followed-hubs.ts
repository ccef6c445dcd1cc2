import type { Sql } from '../../platform/postgres/sql.js'
import { SharedValue } from '../../platform/shared-value.js'
import { followedHubs } from '../../groups/home/homes.repository.js'

/** How long a hub that is followed is taken for one without another look. */
const MAX_AGE_MS = 60_000
/** Unknown hubs may be invented by anyone; all of them together cost at most one query in this time. */
const MIN_AGE_MS = 250

/** The hubs of the rooms that are followed here, known all at once: who asks for one without a session costs no query of its own. */
export class FollowedHubs {
  private known: { readonly at: number; readonly hubs: ReadonlySet<string> } | undefined
  private readonly read: SharedValue<{ readonly at: number; readonly hubs: ReadonlySet<string> }>

  constructor(
    sql: Sql,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.read = new SharedValue(MIN_AGE_MS, async () => ({ at: now(), hubs: new Set(await followedHubs(sql)) }), now)
  }

  /** A hub that is followed since less than `MIN_AGE_MS` may not be known yet. */
  async has(hub: string): Promise<boolean> {
    if (this.known && this.now() - this.known.at < MAX_AGE_MS && this.known.hubs.has(hub)) return true
    this.known = await this.read.get()
    return this.known.hubs.has(hub)
  }
}
