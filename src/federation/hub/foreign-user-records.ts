import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { ErasedNames } from '../../authentication/accounts/erased-names.js'
import { resolveClients, type KnownDevice } from '../../authentication/directory/directory.repository.js'
import {
  holdForeignUser,
  recordForeignUser,
  unconfirmedAmong,
  type ForeignClaim,
  type ForeignDevice,
} from '../../authentication/directory/foreign-devices.repository.js'
import { RateLimited } from '../../platform/http/problem.js'
import { numberOf, type DescribedLimit } from '../../platform/limits/described-limit.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { TooManyForeign } from '../../authentication/directory/foreign-bounds.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'

const REFUSAL = '429 with Retry-After for what needs another one'

/** Rows of docs/limits.md. */
export const FOREIGN_LIMITS = {
  devicesOfUser: {
    name: 'foreign-devices-of-user',
    holder: 'peer',
    what: 'devices of one of its users that are written down; those that nothing here names any more are deleted within an hour or two',
    value: 200,
    refusal: 'the device is not known here',
  },
  usersOfPeer: {
    name: 'foreign-users',
    holder: 'peer',
    what: 'its users that are written down, because of a group, a request, consent, a block or a report',
    value: 100_000,
    refusal: REFUSAL,
  },
  devicesOfPeer: { name: 'foreign-devices', holder: 'peer', what: 'their devices', value: 200_000, refusal: REFUSAL },
  newUsers: {
    name: 'foreign-users-new',
    holder: 'peer',
    what: 'its users that are written down for the first time, per hour',
    value: 3_000,
    refusal: REFUSAL,
  },
} as const satisfies Record<string, DescribedLimit>

const RETRY_SECONDS = 600

type DevicesFrom = (sql: Sql) => Promise<readonly ForeignDevice[]>

/** What is written down of other providers' users. */
@Injectable()
export class ForeignUserRecords {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly names: ErasedNames,
    private readonly metrics: Metrics,
  ) {}

  /** See `unconfirmedAmong`. */
  unconfirmed(claims: readonly ForeignClaim[], maxAgeMs: number): Promise<ForeignClaim[]> {
    return unconfirmedAmong(this.pool, claims, maxAgeMs)
  }

  async device(client: string): Promise<KnownDevice | undefined> {
    return (await resolveClients(this.pool, [client])).get(client)
  }

  /** Whether the user is written down; for the next half an hour it stays so. */
  isKnown(user: string): Promise<boolean> {
    return holdForeignUser(this.pool, user)
  }

  /**
   * @param devices what the provider says of them; or what works it out in the same transaction
   * @param wanted clients that were asked for
   * @returns devices that are revoked
   * @throws RateLimited where as many are written down as may be
   */
  async write(user: string, devices: readonly ForeignDevice[] | DevicesFrom, wanted: ReadonlySet<string>): Promise<bigint[]> {
    const { devicesOfUser, usersOfPeer, devicesOfPeer } = FOREIGN_LIMITS
    const bounds = { devicesOfUser: numberOf(devicesOfUser), usersOfPeer: numberOf(usersOfPeer), devicesOfPeer: numberOf(devicesOfPeer) }
    try {
      return await transaction(this.pool, async (sql) => {
        const named = typeof devices === 'function' ? await devices(sql) : devices
        return recordForeignUser(sql, user, { devices: named, wanted }, bounds, this.names)
      })
    } catch (error) {
      if (!(error instanceof TooManyForeign)) throw error
      this.metrics.limitsRefused.inc({ limit: usersOfPeer.name })
      throw new RateLimited(RETRY_SECONDS)
    }
  }
}
