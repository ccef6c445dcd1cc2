import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { generateIssuerKey, tokenKeyOf } from '../../protocol/privacy-pass/issuer-key.js'
import {
  dropIssuerKeysPast,
  dropQuotasPast,
  insertIssuerKey,
  lockIssuerKeys,
  readIssuerKeys,
  type NewIssuerKey,
} from './issuer-keys.repository.js'

export const ISSUER_KEY_PURPOSE = 'issuer key'

const HOURLY_MS = 3_600_000
/** The next key is published this much of a period before it signs, so that all clients have met it by then. */
const LEAD = 0.25

/** Few keys, each for one period, the next one known beforehand; the same for every client. */
@Injectable()
export class IssuerKeyRotation implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'TOKEN_KEY_PERIOD'>,
    private readonly secrets: Secrets,
    private readonly jobs: Jobs,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    this.jobs.every('tokens.rotate_v1', Math.min(HOURLY_MS, this.config.TOKEN_KEY_PERIOD * LEAD), () => this.run())
  }

  /** What is past goes in a transaction of its own: dropping a partition keeps all posts waiting, and making a key takes its time. */
  async run(): Promise<void> {
    await this.ensure()
    await transaction(this.pool, async (sql) => {
      await lockIssuerKeys(sql)
      await dropIssuerKeysPast(sql)
    })
    await dropQuotasPast(this.pool)
  }

  /** Makes the key that is missing: one that signs now, or towards its end the one after it. Of two callers the second finds it made. */
  async ensure(): Promise<void> {
    await transaction(this.pool, async (sql) => {
      await lockIssuerKeys(sql)
      const { TOKEN_KEY_PERIOD: period } = this.config
      const live = await readIssuerKeys(sql, period * LEAD)
      const last = live.findLast(({ published }) => published)
      if (last && !last.ends) return
      const key = await this.newKey(new Set(live.map(({ truncatedId }) => truncatedId)))
      await insertIssuerKey(sql, key, last?.issuesUntil, period)
      this.events.record('issuer-key.made')
    })
  }

  /** Requests name their key by one byte of its id, so no two live keys may share it (RFC 9578 §6.1). */
  private async newKey(taken: ReadonlySet<number>): Promise<NewIssuerKey> {
    for (;;) {
      const { publicKey, privateKey } = await generateIssuerKey()
      const { tokenKey, keyId, truncatedId } = tokenKeyOf(publicKey)
      if (taken.has(truncatedId)) continue
      const sealedPrivate = this.secrets.seal(ISSUER_KEY_PURPOSE, privateKey.export({ format: 'der', type: 'pkcs8' }))
      return { keyId, truncatedId, tokenKey, sealedPrivate }
    }
  }
}
