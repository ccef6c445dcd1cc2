import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'

const SLOTS = 4
/**
 * Expiry times of a slot, in seconds. A signature lives five minutes at most and a clock is off by as much: with three slots in use at
 * any time, the fourth holds what has expired.
 */
export const SLOT_SECONDS = 900
const SWEEP_MS = 60_000

/** Each nonce once, over all nodes, and also after a crash. */
@Injectable()
export class Nonces implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION'>,
    private readonly jobs: Jobs,
    private readonly secrets: Secrets,
  ) {}

  onModuleInit(): void {
    if (this.config.FEDERATION !== 'off') this.jobs.every('federation.nonces_v1', SWEEP_MS, () => this.forget(new Date()))
  }

  /**
   * Kept as a keyed hash: no row says which provider has sent something, as the relay of a sealed post. Nodes of the release before write the
   * domain, so the column stays, and is empty.
   * @returns false if it was taken before
   */
  async take(domain: string, nonce: string, expires: number): Promise<boolean> {
    const { rowCount } = await this.pool.query({
      name: 'take_nonce',
      text: 'INSERT INTO federation_nonce (slot, domain, nonce) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      values: [slotOf(expires), '', Buffer.from(this.secrets.mac('nonces v1', Buffer.from(`${domain}\0${nonce}`))).toString('base64url')],
    })
    return rowCount === 1
  }

  /** Empties the slot of the oldest expiry times: 15 to 45 minutes back. */
  async forget(now: Date): Promise<void> {
    const slot = (slotOf(Math.floor(now.getTime() / 1000)) + 2) % SLOTS
    await transaction(this.pool, async (sql: Sql) => {
      const { rows } = await sql.query(`SELECT 1 FROM federation_nonce WHERE slot = ${slot} LIMIT 1`)
      if (rows.length > 0) await sql.query(`TRUNCATE federation_nonce_${slot}`)
    })
  }
}

function slotOf(seconds: number): number {
  return Math.floor(seconds / SLOT_SECONDS) % SLOTS
}
