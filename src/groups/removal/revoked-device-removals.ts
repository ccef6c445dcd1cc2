import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { Hints } from '../../platform/hints/hints.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { forgetRemovalsOfNobody, openGroupsOf, unproposedRemovals } from './removal.repository.js'
import { Removals } from './removals.service.js'

const REVOKED_JOB = 'groups.revoked_v1'
const SWEEP_JOB = 'groups.removals_v1'
const SWEEP_MS = 60_000
const SWEEP_LIMIT = 500

/** Proposes Removes for revoked devices: at the hint, through a job so that one node does it; and by a sweep for what a lost hint left. */
@Injectable()
export class RevokedDeviceRemovals implements OnModuleInit, OnModuleDestroy {
  private unsubscribe = (): void => undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly hints: Hints,
    private readonly jobs: Jobs,
    private readonly removals: Removals,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  onModuleInit(): void {
    this.jobs.process<{ device: string }>(REVOKED_JOB, ({ device }) => this.revoked(BigInt(device)))
    this.jobs.every(SWEEP_JOB, SWEEP_MS, () => this.sweep())
    this.unsubscribe = this.hints.subscribe((hint) => {
      if (hint.kind === 'revoked') this.ask(hint.deviceId)
    })
  }

  onModuleDestroy(): void {
    this.unsubscribe()
  }

  async revoked(deviceId: bigint): Promise<void> {
    for (const gid of await openGroupsOf(this.pool, deviceId)) await this.removals.propose(gid, deviceId, 'revoke')
  }

  /** One group's trouble does not keep the others waiting. */
  async sweep(): Promise<void> {
    await forgetRemovalsOfNobody(this.pool)
    for (const { gid, deviceId, reason } of await unproposedRemovals(this.pool, SWEEP_LIMIT)) {
      try {
        await this.removals.propose(gid, deviceId, reason)
      } catch (error) {
        this.log.error({ err: error }, 'a removal could not be proposed')
      }
    }
  }

  private ask(deviceId: bigint): void {
    this.jobs
      .enqueue(REVOKED_JOB, { device: deviceId.toString() }, { dedupeId: `revoked:${deviceId}` })
      .catch((error: unknown) => this.log.warn({ err: error }, 'the removals of a revoked device wait for the sweep'))
  }
}
