import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { Jobs } from '../../platform/jobs/jobs.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { Pull } from '../follower/replica/pull.js'
import { raiseTaken, takenUp } from './replica-storage.repository.js'

const EVERY_MS = 30_000
const AT_ONCE = 200
/** Above any log: everything that the hub has. */
const EVERYTHING = 2n ** 53n

/**
 * Finds the new groups whose Welcome somebody here has fetched, or whose entries somebody has acknowledged: their hubs may store more from then on. What
 * was held back of them is fetched at once, and not when the hub tries again.
 */
@Injectable()
export class TakeUp implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly jobs: Jobs,
    private readonly pull: Pull,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION !== 'off') this.jobs.every('federation.take_up_v1', EVERY_MS, () => this.run())
  }

  async run(): Promise<void> {
    let found = await takenUp(this.pool, 0n, AT_ONCE)
    for (let last = found.at(-1); last !== undefined; last = found.at(-1)) {
      for (const { gid } of found.filter(({ taken }) => taken)) {
        const waiting = await raiseTaken(this.pool, gid)
        if (waiting) this.pull.expect(waiting.groupId, EVERYTHING)
      }
      found = await takenUp(this.pool, last.gid, AT_ONCE)
    }
  }
}
