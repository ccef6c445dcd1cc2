import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { numberOf } from '../../platform/limits/described-limit.js'
import { Events } from '../../platform/observability/events.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { replicasForgotten } from '../federation.events.js'
import { PEER_QUOTAS } from './quotas.limits.js'
import { forgetReplica, newReplicas, type ForgetAfter } from './forgotten-replicas.repository.js'

const EVERY_MS = 60 * 60_000
const AT_ONCE = 200
const DAY_MS = 86_400_000

/**
 * Groups of other hubs that nobody here takes up come to an end, and the places that they have among the new groups of a user and a hub are free again.
 * A device has at least as long as the KeyPackage by which it was added may be good: a Welcome is of no use after that.
 */
@Injectable()
export class ForgottenReplicas implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION' | 'KEY_PACKAGE_MAX_AGE' | 'RETENTION_APPLICATION'>,
    private readonly jobs: Jobs,
    private readonly events: Events,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION !== 'off') this.jobs.every('federation.forget_replicas_v1', EVERY_MS, () => this.run())
  }

  async run(): Promise<void> {
    const after = this.after()
    let forgotten = 0
    let found = await newReplicas(this.pool, 0n, AT_ONCE, after)
    for (let last = found.at(-1); last !== undefined; last = found.at(-1)) {
      for (const { gid, isOver } of found) if (isOver && (await this.forget(gid, after))) forgotten++
      found = await newReplicas(this.pool, last.gid, AT_ONCE, after)
    }
    if (forgotten > 0) replicasForgotten(this.events, forgotten)
  }

  private after(): ForgetAfter {
    const { KEY_PACKAGE_MAX_AGE, RETENTION_APPLICATION: read } = this.config
    return { kept: Math.max(numberOf(PEER_QUOTAS.daysOfNewGroup) * DAY_MS, KEY_PACKAGE_MAX_AGE), read }
  }

  /** One that cannot be locked in time keeps none of those after it: the next run comes by it again. */
  private async forget(gid: bigint, after: ForgetAfter): Promise<boolean> {
    try {
      return await forgetReplica(this.pool, gid, after)
    } catch (error) {
      this.log.warn({ err: error }, 'a replica that nobody has taken up could not be forgotten')
      return false
    }
  }
}
