import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { readDeviceStatuses } from '../../authentication/session/device-statuses.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { Interest } from '../interest.js'
import { NEWS_KEPT_MS, readDeviceNews } from './device-news.repository.js'
import { readHeads, readInboxIds } from './sweep.repository.js'

/** Keys of one statement. */
const CHUNK = 10_000
/** Inbox ids looked at per device: as many as a stream has on its way, and more. */
const INBOX_IDS = 300

/**
 * Brings what hints bring when none is lost: every few seconds, the heads of the groups, and the inboxes, revocations and logouts of the
 * devices that somebody on this node waits for, by key, one statement each; and what changed of any device's memberships and streams.
 */
@Injectable()
export class NodeSweep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined
  private running: Promise<void> | undefined
  /** News of transactions below this were passed on. The first sweep passes on all that is kept: streams were opened before it. */
  private horizon = 0n
  /** Ids of what was read last time: rows from the horizon on come again. */
  private passedOn = new Set<bigint>()
  private newsReadAt = performance.now()

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly interest: Interest,
    @Inject(CONFIG) private readonly config: Pick<Config, 'SWEEP_INTERVAL'>,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.sweep().catch((error: unknown) => this.log.warn({ err: error }, 'sweep failed'))
    }, this.config.SWEEP_INTERVAL).unref()
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer)
    await this.running?.catch(() => undefined)
  }

  /** One at a time: a slow database must not collect sweeps. */
  sweep(): Promise<void> {
    this.running ??= this.sweepAll().finally(() => {
      this.running = undefined
    })
    return this.running
  }

  private async sweepAll(): Promise<void> {
    for (const gids of chunks(this.interest.gids())) {
      const heads = await readHeads(this.pool, gids)
      for (const head of heads.values()) this.interest.notifyGroup(head.gid, head)
    }
    // Before the inboxes: a Welcome that comes in between is found in its inbox, and its membership next time.
    await this.passOnNews()
    for (const deviceIds of chunks(this.interest.deviceIds())) {
      const statuses = await readDeviceStatuses(this.pool, deviceIds)
      const inboxes = await readInboxIds(this.pool, deviceIds, INBOX_IDS)
      for (const deviceId of deviceIds) {
        const status = statuses.get(deviceId)
        if (!status || status.revoked) this.interest.notifyDevice(deviceId, { kind: 'revoked' })
        else this.interest.notifyDevice(deviceId, { kind: 'swept', inboxIds: inboxes.get(deviceId) ?? [], generation: status.generation })
      }
    }
  }

  private async passOnNews(): Promise<void> {
    const startedAt = performance.now()
    const { horizon, rows } = await readDeviceNews(this.pool, this.horizon)
    // News were deleted unread, or another database answers, where transactions have other numbers.
    const missed = startedAt - this.newsReadAt > NEWS_KEPT_MS / 2 || horizon < this.horizon
    if (missed) for (const deviceId of this.interest.deviceIds()) this.interest.notifyDevice(deviceId, { kind: 'memberships' })
    for (const { id, deviceId, streamId } of rows) {
      if (this.passedOn.has(id)) continue
      this.interest.notifyDevice(deviceId, streamId === null ? { kind: 'memberships' } : { kind: 'opened', streamId, order: id })
    }
    this.passedOn = new Set(rows.map(({ id }) => id))
    this.horizon = horizon
    this.newsReadAt = startedAt
  }
}

function chunks(ids: readonly bigint[]): bigint[][] {
  return Array.from({ length: Math.ceil(ids.length / CHUNK) }, (_, index) => ids.slice(index * CHUNK, (index + 1) * CHUNK))
}
