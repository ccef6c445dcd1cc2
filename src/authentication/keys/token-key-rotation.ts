import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { AuthenticationEvents } from '../authentication.events.js'
import { KeyRing } from './key-ring.js'
import { deleteTokenKeysPast, insertTokenKey, lockTokenKeys, retireTokenKeys, rotatedWithin } from './token-keys.repository.js'

const DAY_MS = 86_400_000
/** How old a signing key grows. */
const ROTATE_AFTER_MS = 30 * DAY_MS
/** A new key is published this long before it signs: longer than caches of the JWK Set and key rings on nodes live. */
const LEAD_MS = 10 * 60_000
/** A retired key is published until its last token has expired, and a little for clocks. */
const MARGIN_MS = 60_000

/** Changes the key that access tokens are signed with, without a verifier ever seeing a key it does not know. */
@Injectable()
export class TokenKeyRotation implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'ACCESS_TOKEN_TTL'>,
    private readonly ring: KeyRing,
    private readonly jobs: Jobs,
    private readonly events: AuthenticationEvents,
  ) {}

  onModuleInit(): void {
    this.jobs.every('token-keys.rotate_v1', DAY_MS / 24, () => this.rotateWhenDue())
  }

  /**
   * Planned: the new key signs after LEAD_MS and the old one's tokens live out their lives. Not twice within LEAD_MS.
   * @returns whether a new key was made
   */
  rotate(): Promise<boolean> {
    return this.replace({ unlessWithinMs: 0, leadMs: LEAD_MS, overlapMs: this.config.ACCESS_TOKEN_TTL + MARGIN_MS })
  }

  /** After a compromise or a restored database: all access tokens end, within seconds on other nodes. */
  async rotateNow(): Promise<void> {
    await this.replace({ leadMs: 0, overlapMs: 0 })
  }

  private async rotateWhenDue(): Promise<void> {
    await deleteTokenKeysPast(this.pool)
    await this.ring.signer()
    await this.replace({ unlessWithinMs: ROTATE_AFTER_MS, leadMs: LEAD_MS, overlapMs: this.config.ACCESS_TOKEN_TTL + MARGIN_MS })
  }

  private async replace(plan: { unlessWithinMs?: number; leadMs: number; overlapMs: number }): Promise<boolean> {
    const key = await this.ring.newKey()
    const replaced = await transaction(this.pool, async (sql) => {
      await lockTokenKeys(sql)
      if (plan.unlessWithinMs !== undefined && (await rotatedWithin(sql, plan.unlessWithinMs))) return false
      await retireTokenKeys(sql, plan.leadMs, plan.overlapMs)
      await insertTokenKey(sql, key, plan.leadMs)
      return true
    })
    if (replaced) this.events.tokenKeyRotated()
    await this.ring.reload()
    return replaced
  }
}
