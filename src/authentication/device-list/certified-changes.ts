import { Injectable } from '@nestjs/common'
import type { Sql } from '../../platform/postgres/sql.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { DeviceListRequired } from '../authentication.problems.js'
import type { Caller } from '../session/caller.js'
import { DeviceListChanges, type PreparedChange } from './device-list-changes.js'
import type { DeviceListUpdate } from './device-list.dto.js'
import { readListState } from './device-lists.repository.js'

/** Row `device-list-changes` of docs/limits.md. */
const CHANGES = { name: 'device-list-changes', points: 60, seconds: 3_600, exact: true } as const

/** What changes devices and keys of an account: where it has a device list, never a session alone. */
@Injectable()
export class CertifiedChanges {
  constructor(
    private readonly changes: DeviceListChanges,
    private readonly limits: Limits,
  ) {}

  /** Counts a change of a list. @throws RateLimited */
  take({ user }: Pick<Caller, 'user'>): Promise<void> {
    return this.limits.take(CHANGES, user)
  }

  /**
   * The entry that certifies a device or a key which is to be added.
   * @throws DeviceListRequired if the account has a list and none was sent, and what `prepare` throws
   */
  async prepareFor(caller: Caller, update: DeviceListUpdate | undefined): Promise<PreparedChange | undefined> {
    if (update === undefined) return undefined
    if (update.entries.length > 1) throw new InvalidRequest('One entry certifies what is added: send others by POST /v1/device-list.')
    await this.take(caller)
    const change = await this.changes.prepare(caller.user, caller.userId, update)
    if (change.before === undefined) throw new InvalidRequest('The account has no device list that the entry could follow.')
    return change
  }

  /** Call it with the account's lock held. @param deviceId which has got new keys */
  async writeFor(sql: Sql, caller: Caller, change: PreparedChange | undefined, deviceId: bigint): Promise<void> {
    if (change === undefined) return this.requireNone(sql, caller)
    await this.changes.write(sql, caller.userId, change, { whole: deviceId })
  }

  /** Call it with the account's lock held. @throws DeviceListRequired */
  async requireNone(sql: Sql, { userId }: Pick<Caller, 'userId'>): Promise<void> {
    if ((await readListState(sql, userId)) !== undefined) throw new DeviceListRequired()
  }
}
