import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { Pool } from 'pg'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { accountDisabled } from '../authentication.events.js'
import { markRevoked } from '../devices/devices.repository.js'
import { Revocations } from '../devices/revocations.js'
import { findUnfinishedDisabling, lockAccount } from './accounts.repository.js'

const EVERY_MS = 10_000

/**
 * The operator's command only marks an account, which already keeps its devices out. Revoking them, and telling every
 * module of it, is the server's work; done by a job, so that no crash in between can leave it half done.
 */
@Injectable()
export class DisabledAccounts implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly jobs: Jobs,
    private readonly revocations: Revocations,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    this.jobs.every('authentication.disabled-accounts_v1', EVERY_MS, () => this.run())
  }

  async run(): Promise<void> {
    for (const accountId of await findUnfinishedDisabling(this.pool)) {
      const { revoked } = await this.revocations.revoke(async (sql) => {
        await lockAccount(sql, accountId)
        return { revoked: await markRevoked(sql, accountId, undefined) }
      })
      accountDisabled(this.events, revoked.length)
    }
  }
}
