import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { ErasedNames } from '../../authentication/accounts/erased-names.js'
import { resolveClients, type KnownDevice } from '../../authentication/directory/directory.repository.js'
import {
  recordForeignUser,
  unconfirmedAmong,
  type ForeignClaim,
  type ForeignDevice,
} from '../../authentication/directory/foreign-devices.repository.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'

/** What is written down of other providers' users. */
@Injectable()
export class ForeignUserRecords {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly names: ErasedNames,
  ) {}

  /** See `unconfirmedAmong`. */
  unconfirmed(claims: readonly ForeignClaim[], maxAgeMs: number): Promise<ForeignClaim[]> {
    return unconfirmedAmong(this.pool, claims, maxAgeMs)
  }

  async device(client: string): Promise<KnownDevice | undefined> {
    return (await resolveClients(this.pool, [client])).get(client)
  }

  /** @returns devices that are revoked */
  write(user: string, devices: readonly ForeignDevice[]): Promise<bigint[]> {
    return transaction(this.pool, (sql) => recordForeignUser(sql, user, devices, this.names))
  }
}
