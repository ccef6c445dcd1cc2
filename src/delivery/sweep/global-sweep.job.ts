import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { POOL } from '../../platform/postgres/sql.js'
import { deleteOldNews } from './device-news.repository.js'
import { readInboxDevices, readRecentHeads } from './sweep.repository.js'

const PAGE = 1_000

/**
 * Repeats, on one worker and in ranges, the hints of everything that moved lately or waits in an inbox: for nodes whose
 * own sweep looks by key only, and for other readers of cursors than devices. Then deletes the news that all nodes have read.
 */
@Injectable()
export class GlobalSweep implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly jobs: Jobs,
    private readonly hints: Hints,
    @Inject(CONFIG) private readonly config: Pick<Config, 'GLOBAL_SWEEP_INTERVAL'>,
  ) {}

  onModuleInit(): void {
    this.jobs.every('delivery.sweep_v1', this.config.GLOBAL_SWEEP_INTERVAL, () => this.run())
  }

  async run(): Promise<void> {
    // Twice the interval and more, so that a late run misses nothing.
    const sinceMs = this.config.GLOBAL_SWEEP_INTERVAL * 3
    let page = await readRecentHeads(this.pool, 0n, PAGE, sinceMs)
    for (; page.last !== undefined; page = await readRecentHeads(this.pool, page.last, PAGE, sinceMs)) {
      this.hints.publish(page.heads.map(({ gid, headSeq }) => ({ kind: 'group', gid, headSeq })))
    }
    let devices = await readInboxDevices(this.pool, 0n, PAGE)
    for (let last = devices.at(-1); last !== undefined; last = devices.at(-1)) {
      this.hints.publish(devices.map((deviceId) => ({ kind: 'inbox', deviceId })))
      devices = await readInboxDevices(this.pool, last, PAGE)
    }
    await deleteOldNews(this.pool)
  }
}
