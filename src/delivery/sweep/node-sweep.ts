import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { readDeviceStatuses } from '../../authentication/session/device-statuses.repository.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { Interest } from '../interest/interest.js'
import { readHeads, readInboxIds } from './sweep.repository.js'

/** Keys of one statement. */
const CHUNK = 10_000
/** Inbox ids looked at per device: as many as a stream has on its way, and more. */
const INBOX_IDS = 300

/**
 * What hints tell when none is lost: every few seconds, the heads of the groups and the inboxes, revocations and logouts of the
 * devices that somebody on this node waits for, by key, one statement each.
 */
@Injectable()
export class NodeSweep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined
  private running: Promise<void> | undefined

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
      for (const head of heads.values()) this.interest.tellGroup(head.gid, head)
    }
    for (const deviceIds of chunks(this.interest.deviceIds())) {
      const statuses = await readDeviceStatuses(this.pool, deviceIds)
      const inboxes = await readInboxIds(this.pool, deviceIds, INBOX_IDS)
      for (const deviceId of deviceIds) {
        const status = statuses.get(deviceId)
        if (!status || status.revoked) this.interest.tell(deviceId, { kind: 'revoked' })
        else this.interest.tell(deviceId, { kind: 'swept', inboxIds: inboxes.get(deviceId) ?? [], generation: status.generation })
      }
    }
  }
}

function chunks(ids: readonly bigint[]): bigint[][] {
  return Array.from({ length: Math.ceil(ids.length / CHUNK) }, (_, index) => ids.slice(index * CHUNK, (index + 1) * CHUNK))
}
