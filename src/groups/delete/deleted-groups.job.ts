import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { Hints } from '../../platform/hints/hints.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { LOG } from '../../platform/observability/log.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { POOL } from '../../platform/postgres/sql.js'
import { countRemains, deleteRemains, groupsWithRemains } from './remains.repository.js'

const JOB = 'groups.deletions_v1'
/** What a killed worker or a lost job leaves is taken up so much later at most. */
const INTERVAL_MS = 60_000
/** Rows of each table that one statement deletes. */
const ROWS = 1_000
/** Groups that have a slice each in turn. */
const GROUPS = 100

/**
 * Deletes what is left of deleted groups, in slices, each a statement of its own: stopped half-way, it continues where it was. Nobody can read
 * these rows any more (invariant 8), so that it has time.
 */
@Injectable()
export class DeletedGroups implements OnModuleInit {
  /** Not read when metrics are asked for: they have to come while PostgreSQL is away. Undefined before the first run here. */
  private remains: number | undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly jobs: Jobs,
    private readonly hints: Hints,
    @Inject(LOG) private readonly log: Logger,
    metrics: Metrics,
  ) {
    metrics.gauge(
      'deleted_groups_with_remains',
      'Deleted groups of which rows are left in the database, as the last run of the job found them',
      () => this.remains,
    )
  }

  onModuleInit(): void {
    this.jobs.every(JOB, INTERVAL_MS, () => this.run())
  }

  /**
   * What follows a deletion, after COMMIT. Without it the next run comes by within a minute.
   * @param devices that have `group.deleted` in their inboxes
   */
  deleted({ gid, headSeq, devices }: { gid: bigint; headSeq: bigint; devices: readonly bigint[] }): void {
    this.hints.publish([...devices.map((deviceId) => ({ kind: 'inbox' as const, deviceId })), { kind: 'group', gid, headSeq }])
    this.jobs
      .enqueue(JOB, {}, { dedupeId: JOB })
      .catch((error: unknown) => this.log.warn({ err: error }, 'the rows of a deleted group wait for the next run'))
  }

  /** Until nothing is left, but for what another worker is at. */
  async run(): Promise<void> {
    this.remains = await countRemains(this.pool)
    for (let last: bigint | undefined = 0n; last !== undefined;) {
      const gids = await groupsWithRemains(this.pool, last, GROUPS)
      await this.finish(gids)
      last = gids.at(-1)
    }
    this.remains = await countRemains(this.pool)
  }

  /** A slice of each in turn, so that a long one keeps no short one waiting. */
  private async finish(gids: readonly bigint[]): Promise<void> {
    for (let left = gids; left.length > 0;) {
      const unfinished: bigint[] = []
      for (const gid of left) if (await deleteRemains(this.pool, gid, ROWS)) unfinished.push(gid)
      left = unfinished
    }
  }
}
