import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { POOL } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets/secrets.js'
import { AuthenticationEvents } from '../authentication.events.js'
import { rotateTokenKey } from './token-key-replacement.js'
import { deleteTokenKeysPast } from './token-keys.repository.js'

const HOUR_MS = 3_600_000
/** How old a signing key grows. */
const ROTATE_AFTER_MS = 30 * 24 * HOUR_MS

/** Changes the key that access tokens are signed with, now and then, without anybody's asking. */
@Injectable()
export class TokenKeyRotation implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'ACCESS_TOKEN_TTL'>,
    private readonly secrets: Secrets,
    private readonly jobs: Jobs,
    private readonly events: AuthenticationEvents,
  ) {}

  onModuleInit(): void {
    this.jobs.every('token-keys.rotate_v1', HOUR_MS, () => this.run())
  }

  /** A server without any key makes its first one when it first signs, not here. */
  async run(): Promise<void> {
    await deleteTokenKeysPast(this.pool)
    const rotated = await rotateTokenKey(this.pool, this.secrets, this.config.ACCESS_TOKEN_TTL, ROTATE_AFTER_MS)
    if (rotated) this.events.tokenKeyRotated()
  }
}
