import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { Hints } from '../../platform/hints/hints.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { deleteRefreshTokens } from '../refresh/refresh-tokens.repository.js'

type Companion = (sql: Sql, deviceIds: readonly bigint[]) => Promise<void>

/** Takes devices out of service: everything they hold ends in one transaction, and every node hears of it right after. */
@Injectable()
export class Revocations {
  private readonly companions: Companion[] = []

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly hints: Hints,
  ) {}

  /**
   * Work of a module above that must commit together with a revocation (drop KeyPackages, propose Removes). Register it
   * in `onModuleInit`. It runs with the account's row locked and must take no lock on an account.
   */
  together(companion: Companion): void {
    this.companions.push(companion)
  }

  /** @param mark marks devices as revoked and names those that were active until now */
  async revoke(mark: (sql: Sql) => Promise<bigint[]>): Promise<bigint[]> {
    const revoked = await transaction(this.pool, async (sql) => {
      const deviceIds = await mark(sql)
      if (deviceIds.length === 0) return deviceIds
      await deleteRefreshTokens(sql, deviceIds)
      for (const companion of this.companions) await companion(sql, deviceIds)
      return deviceIds
    })
    this.hints.publish(revoked.map((deviceId) => ({ kind: 'revoked', deviceId })))
    return revoked
  }
}
