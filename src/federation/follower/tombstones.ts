import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { POOL } from '../../platform/postgres/sql.js'
import { forgetDeletedUnknown } from './deletion.repository.js'

const SWEEP_MS = 600_000

/** Deletions of groups that were never here are remembered for a while only: a hub may name as many as it likes. */
@Injectable()
export class Tombstones implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly jobs: Jobs,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION !== 'off') this.jobs.every('federation.tombstones_v1', SWEEP_MS, () => forgetDeletedUnknown(this.pool))
  }
}
