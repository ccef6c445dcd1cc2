import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { Pool } from 'pg'
import { Jobs } from '../platform/jobs/jobs.js'
import { POOL } from '../platform/postgres/sql.js'
import { deleteSpentInvites } from './accounts/invites.repository.js'
import { deleteExpiredChallenges } from './challenges/challenges.repository.js'
import { deleteExpiredFamilies } from './refresh/refresh-tokens.repository.js'

const EVERY_MS = 60_000

/** Removes what has expired. Nothing relies on it: every reader checks the time itself. */
@Injectable()
export class Purge implements OnModuleInit {
  constructor(
    private readonly jobs: Jobs,
    @Inject(POOL) private readonly pool: Pool,
  ) {}

  onModuleInit(): void {
    this.jobs.every('authentication.purge_v1', EVERY_MS, () => this.run())
  }

  async run(): Promise<void> {
    await deleteExpiredChallenges(this.pool)
    await deleteExpiredFamilies(this.pool)
    await deleteSpentInvites(this.pool)
  }
}
