import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../platform/config/config.js'
import { Hints } from '../platform/hints/hints.js'
import { Jobs } from '../platform/jobs/jobs.js'
import { deleteInBatches } from '../platform/jobs/purge.js'
import { Events } from '../platform/observability/events.js'
import { POOL } from '../platform/postgres/sql.js'
import { keyPackagesPurged } from './key-packages.events.js'
import { purgeKeyPackages } from './key-packages.repository.js'

const INTERVAL_MS = 10 * 60_000
/** Short statements: a run continues with the next batch. */
const BATCH = 1_000

/** Housekeeping only: what has expired or belongs to a revoked device is not handed out even while it is still there. */
@Injectable()
export class KeyPackagePurge implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'KEY_PACKAGE_LOW'>,
    private readonly jobs: Jobs,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    this.jobs.every('key-packages.purge_v1', INTERVAL_MS, () => this.run())
  }

  async run(): Promise<void> {
    let low = 0
    const rows = await deleteInBatches(BATCH, async () => {
      const { purged, notified } = await purgeKeyPackages(this.pool, { limit: BATCH, low: this.config.KEY_PACKAGE_LOW })
      this.hints.publish([...new Set(notified)].map((deviceId) => ({ kind: 'inbox', deviceId })))
      low += notified.length
      return purged
    })
    keyPackagesPurged(this.events, { rows, low })
  }
}
