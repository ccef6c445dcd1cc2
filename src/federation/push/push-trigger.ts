import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { POOL } from '../../platform/postgres/sql.js'
import { peersOf } from './cursors.repository.js'
import { Push } from './push.js'

/** Hints of this time are looked up together. */
const GATHER_MS = 5
/** For how long it is remembered which peers a group has; a new one is found by the sweep. */
const REMEMBER_MS = 2_000
const MAX_REMEMBERED = 50_000

/** Starts pushes to the peers of a group when something happens in it. A lost trigger costs the time until the next sweep. */
@Injectable()
export class PushTrigger implements OnModuleInit, OnModuleDestroy {
  private readonly remembered = new LRUCache<bigint, { at: number; peers: readonly string[] }>({ max: MAX_REMEMBERED })
  private readonly asked = new Set<bigint>()
  private timer: NodeJS.Timeout | undefined
  private unsubscribe = (): void => undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION' | 'ROLE'>,
    private readonly hints: Hints,
    private readonly push: Push,
  ) {}

  onModuleInit(): void {
    // Each node hears all hints, and one of them is enough: where there are workers, theirs.
    if (this.config.FEDERATION === 'off' || this.config.ROLE === 'api') return
    this.unsubscribe = this.hints.subscribe((hint) => {
      if (hint.kind === 'group') this.heard(hint.gid)
    })
  }

  onModuleDestroy(): void {
    this.unsubscribe()
    clearTimeout(this.timer)
  }

  private heard(gid: bigint): void {
    this.asked.add(gid)
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.wake()
    }, GATHER_MS)
  }

  private async wake(): Promise<void> {
    const gids = [...this.asked]
    this.asked.clear()
    const now = performance.now()
    const unknown = gids.filter((gid) => now - (this.remembered.get(gid)?.at ?? -Infinity) > REMEMBER_MS)
    if (unknown.length > 0) await this.lookUp(unknown, now)
    const peers = new Set(gids.flatMap((gid) => this.remembered.get(gid)?.peers ?? []))
    for (const peer of peers) this.push.wake(peer)
  }

  /** What cannot be looked up waits for the sweep. */
  private async lookUp(gids: readonly bigint[], at: number): Promise<void> {
    const rows = await peersOf(this.pool, gids).catch(() => [])
    for (const gid of gids) this.remembered.set(gid, { at, peers: rows.filter((row) => row.gid === gid).map(({ domain }) => domain) })
  }
}
