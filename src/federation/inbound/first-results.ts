import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { Unavailable } from '../../platform/http/problem.js'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { sha256 } from '../../protocol/sha256.js'
import type { Peer } from './peer.js'

const KEPT_MINUTES = 10

/** Idempotency of requests between providers: an identical body, signed again with a fresh nonce, gets its first result. */
@Injectable()
export class FirstResults {
  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /**
   * @param body what makes it the same request
   * @throws Unavailable while the first of two is still at it; what fails is forgotten, and may be tried again
   */
  async once(peer: Peer, endpoint: string, body: Uint8Array, work: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const key = [peer.domain, endpoint, sha256(body)]
    if (!(await this.begin(key))) return this.earlier(key)
    try {
      const result = await work()
      await this.pool.query({
        text: 'UPDATE federation_result SET body = $4 WHERE domain = $1 AND endpoint = $2 AND body_hash = $3',
        values: [...key, result],
      })
      return result
    } catch (error) {
      await this.pool.query({
        text: 'DELETE FROM federation_result WHERE domain = $1 AND endpoint = $2 AND body_hash = $3 AND body IS NULL',
        values: key,
      })
      throw error
    }
  }

  /** A request that died leaves its place to the next one after a minute. */
  private async begin(key: unknown[]): Promise<boolean> {
    const { rowCount } = await this.pool.query({
      name: 'begin_result',
      text: `INSERT INTO federation_result AS r (domain, endpoint, body_hash, expires_at)
             VALUES ($1, $2, $3, now() + interval '${KEPT_MINUTES} minutes')
             ON CONFLICT (domain, endpoint, body_hash) DO UPDATE SET body = NULL, expires_at = excluded.expires_at
             WHERE r.expires_at < now() OR r.body IS NULL AND r.expires_at < now() + interval '${KEPT_MINUTES - 1} minutes'`,
      values: key,
    })
    return rowCount === 1
  }

  private async earlier(key: unknown[]): Promise<Uint8Array> {
    const { rows } = await this.pool.query<{ body: Buffer | null }>({
      name: 'earlier_result',
      text: 'SELECT body FROM federation_result WHERE domain = $1 AND endpoint = $2 AND body_hash = $3',
      values: key,
    })
    if (!rows[0]?.body) throw new Unavailable('The same request is being answered.')
    return rows[0].body
  }
}

/** Results are kept for KEPT_MINUTES, far longer than a signed request is repeated. */
export async function deleteExpiredResults(sql: Sql): Promise<void> {
  await sql.query('DELETE FROM federation_result WHERE expires_at < now()')
}
