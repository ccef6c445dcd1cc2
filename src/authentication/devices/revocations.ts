import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { Hints } from '../../platform/hints/hints.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { activeSiblings } from './devices.repository.js'
import { deleteRefreshTokens } from '../refresh/refresh-tokens.repository.js'

/** Takes devices out of service: everything they hold ends in one transaction, and every node hears of it right after. */
@Injectable()
export class Revocations {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly hints: Hints,
  ) {}

  /**
   * @param mark marks devices as revoked and names those that were active until now; the others of the account find that in their inboxes
   * (prisma/functions/triggers.sql, tell_siblings). `told`: more devices that have an item in their inboxes
   * @returns what `mark` returned
   */
  async revoke<T extends { readonly revoked: readonly bigint[]; readonly told?: readonly bigint[] }>(
    mark: (sql: Sql) => Promise<T>,
  ): Promise<T> {
    const { marked, told } = await transaction(this.pool, async (sql) => {
      const done = await mark(sql)
      await deleteRefreshTokens(sql, done.revoked)
      return { marked: done, told: new Set([...(await activeSiblings(sql, done.revoked)), ...(done.told ?? [])]) }
    })
    this.hints.publish(marked.revoked.map((deviceId) => ({ kind: 'revoked', deviceId })))
    this.announce([...told])
    return marked
  }

  /** Devices look into their inboxes at once. Call it after COMMIT. */
  announce(told: readonly bigint[]): void {
    this.hints.publish(told.map((deviceId) => ({ kind: 'inbox', deviceId })))
  }
}
