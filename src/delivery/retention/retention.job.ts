import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { deleteInBatches } from '../../platform/jobs/purge.js'
import { POOL } from '../../platform/postgres/sql.js'
import { DeliveryMetrics } from '../delivery-metrics.js'
import { deleteOldTrees, havingOldTrees, KEPT_TREES, markOverQuota } from './group-storage.repository.js'
import {
  deleteBelowFloor,
  deleteLeftovers,
  havingBelowFloor,
  havingLeftovers,
  moveFloor,
  readFloorMoves,
  readGids,
  readRetirable,
  retireApplication,
  type RetentionAges,
} from './retention.repository.js'
import {
  havingAcknowledgedWelcomes,
  havingExpiredWelcomes,
  purgeAcknowledgedWelcomes,
  purgeExpiredWelcomes,
} from './welcomes.repository.js'

const INTERVAL_MS = 60 * 60_000
/** Groups looked at together, and rows deleted by one statement: each is short, and a run continues with the next. */
const GROUPS = 100
const ROWS = 1_000

type Settings = Pick<Config, 'RETENTION_APPLICATION' | 'RETENTION_HANDSHAKE' | 'IDEMPOTENCY_WINDOW' | 'ACCOUNT_MAX_BYTES'>

/**
 * What nobody needs any more goes (§7). Application entries go one by one, as their readers have passed or their time
 * has come; handshakes go from the front, and the floor says up to where. Stopped half-way, it continues in the next run.
 */
@Injectable()
export class Retention implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Settings,
    private readonly jobs: Jobs,
    private readonly hints: Hints,
    private readonly metrics: DeliveryMetrics,
  ) {}

  onModuleInit(): void {
    this.jobs.every('delivery.retention_v1', INTERVAL_MS, () => this.run())
  }

  /** @param now only to move time in tests; PostgreSQL's clock otherwise */
  async run(now: Date | null = null): Promise<void> {
    await this.purgeWelcomes(now)
    const { RETENTION_APPLICATION: application, RETENTION_HANDSHAKE: handshake, IDEMPOTENCY_WINDOW: idempotency } = this.config
    const ages = { now, application, handshake, idempotency }
    let gids = await readGids(this.pool, 0n, GROUPS)
    for (let last = gids.at(-1); last !== undefined; last = gids.at(-1)) {
      await this.retire(gids, ages)
      gids = await readGids(this.pool, last, GROUPS)
    }
    await markOverQuota(this.pool, this.config.ACCOUNT_MAX_BYTES)
  }

  private async retire(gids: readonly bigint[], ages: RetentionAges): Promise<void> {
    for (const old of await readRetirable(this.pool, gids, ages))
      await this.whileFull('application', () => retireApplication(this.pool, old, ROWS))
    for (const { gid, floorSeq, heldBySnapshot } of await readFloorMoves(this.pool, gids, ages)) {
      this.notify(await moveFloor(this.pool, gid, floorSeq))
      // A quiet group makes no snapshot by itself; with one, the next run continues from there.
      if (heldBySnapshot) await this.jobs.enqueue('groups.snapshot_v1', { gid: gid.toString(), due: true }, { dedupeId: `snapshot:${gid}` })
    }
    for (const gid of await havingBelowFloor(this.pool, gids))
      await this.whileFull('handshake', () => deleteBelowFloor(this.pool, gid, ROWS))
    for (const gid of await havingLeftovers(this.pool, gids))
      this.metrics.retired.inc({ what: 'leftover' }, await deleteLeftovers(this.pool, gid))
    for (const gid of await havingOldTrees(this.pool, gids, KEPT_TREES)) await deleteOldTrees(this.pool, gid, KEPT_TREES, ROWS)
  }

  private async purgeWelcomes(now: Date | null): Promise<void> {
    await this.inGroups(
      () => havingExpiredWelcomes(this.pool, now, ROWS),
      async (gid) => {
        const { purged, notified } = await purgeExpiredWelcomes(this.pool, gid, now, ROWS)
        this.notify(notified)
        return purged
      },
    )
    await this.inGroups(
      () => havingAcknowledgedWelcomes(this.pool, ROWS),
      (gid) => purgeAcknowledgedWelcomes(this.pool, gid, ROWS),
    )
  }

  /** Group after group, until there is none, or a round has found nothing to do in those there are. */
  private async inGroups(find: () => Promise<bigint[]>, purge: (gid: bigint) => Promise<number>): Promise<void> {
    for (let purged = 1; purged > 0;) {
      purged = 0
      for (const gid of await find()) purged += await this.whileFull('welcome', () => purge(gid))
    }
  }

  private whileFull(what: string, step: () => Promise<number>): Promise<number> {
    return deleteInBatches(ROWS, async () => {
      const rows = await step()
      this.metrics.retired.inc({ what }, rows)
      return rows
    })
  }

  private notify(deviceIds: readonly bigint[]): void {
    this.hints.publish(deviceIds.map((deviceId) => ({ kind: 'inbox', deviceId })))
  }
}
