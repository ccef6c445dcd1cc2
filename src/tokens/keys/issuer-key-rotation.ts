import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets/secrets.js'
import { generateIssuerKey, tokenKeyOf } from '../../protocol/privacy-pass/issuer-key.js'
import { issuerKeyMade } from '../tokens.events.js'
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

  async run(): Promise<void> {
    await transaction(this.pool, async (sql) => {
      await lockIssuerKeys(sql)
      await dropIssuerKeysPast(sql)
      await dropQuotasPast(sql)
      await this.complete(sql)
    })
  }

  /** Makes the keys that are missing: one that signs now, and towards its end the one after it. Whoever comes second finds them made. */
  async ensure(): Promise<void> {
    await transaction(this.pool, async (sql) => {
      await lockIssuerKeys(sql)
      await this.complete(sql)
    })
  }

  private async complete(sql: Sql): Promise<void> {
    const { TOKEN_KEY_PERIOD: period } = this.config
    const now = await clock(sql)
    const last = (await readIssuerKeys(sql)).filter(({ shown }) => shown).at(-1)
    if (!last) await this.make(sql, undefined)
    else if (last.issuesUntil.getTime() - now.getTime() < period * LEAD) await this.make(sql, last.issuesUntil)
  }

  private async make(sql: Sql, from: Date | undefined): Promise<void> {
    const taken = new Set((await readIssuerKeys(sql)).map(({ truncatedId }) => truncatedId))
    await insertIssuerKey(sql, await this.newKey(taken), from, this.config.TOKEN_KEY_PERIOD)
    issuerKeyMade(this.events)
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

async function clock(sql: Sql): Promise<Date> {
  const { rows } = await sql.query<{ now: Date }>('SELECT now() AS now')
  if (!rows[0]) throw new Error('PostgreSQL tells no time')
  return rows[0].now
}
