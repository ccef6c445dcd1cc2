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
   * (prisma/functions/triggers.sql, tell_siblings)
   */
  async revoke(mark: (sql: Sql) => Promise<bigint[]>): Promise<bigint[]> {
    const { revoked, told } = await transaction(this.pool, async (sql) => {
      const deviceIds = await mark(sql)
      await deleteRefreshTokens(sql, deviceIds)
      return { revoked: deviceIds, told: await activeSiblings(sql, deviceIds) }
    })
    this.hints.publish(revoked.map((deviceId) => ({ kind: 'revoked', deviceId })))
    this.hints.publish(told.map((deviceId) => ({ kind: 'inbox', deviceId })))
    return revoked
  }
}
