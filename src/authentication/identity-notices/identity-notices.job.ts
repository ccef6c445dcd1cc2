import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { identityChangeTold } from '../authentication.events.js'
import { tellOfIdentity } from './identity-notices.repository.js'

const EVERY_MS = 10_000
const MEMBERS = 500
/** The rest has its turn ten seconds later: a user in many large groups does not keep the worker. */
const BATCHES = 100

/** Members' devices hear of a user who has begun another identity, in batches: groups can be large, and a user can be in many. */
@Injectable()
export class IdentityNotices implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly jobs: Jobs,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    this.jobs.every('authentication.identity-notices_v1', EVERY_MS, () => this.run())
  }

  /** @param members most that one batch looks at */
  async run(members = MEMBERS): Promise<void> {
    for (let batch = 0; batch < BATCHES; batch++) {
      const { found, told } = await tellOfIdentity(this.pool, this.config.DOMAIN, members)
      if (!found) return
      this.hints.publish(told.map((deviceId) => ({ kind: 'inbox', deviceId })))
      if (told.length > 0) identityChangeTold(this.events, told.length)
    }
  }
}
