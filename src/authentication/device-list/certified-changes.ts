import { Injectable } from '@nestjs/common'
import type { Sql } from '../../platform/postgres/sql.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { DeviceListRequired } from '../identity.problems.js'
import type { Caller } from '../session/caller.js'
import { DeviceListChanges, type PreparedChange, type WriteOptions } from './device-list-changes.js'
import type { DeviceListUpdate } from './device-list.dto.js'
import { isCertified, readListState } from './device-lists.repository.js'

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

  /** The entries that begin the identity of a client's user. */
  async prepareFirst(client: string, update: DeviceListUpdate | undefined): Promise<PreparedChange | undefined> {
    const parsed = parseClientUri(client)
    return parsed && update && (await this.changes.prepare(userUri(parsed), undefined, update))
  }

  /** Call it with the account's lock held, for a device that was added. @throws DeviceListRequired, and what `write` throws */
  async writeDevice(sql: Sql, accountId: bigint, change: PreparedChange | undefined, options: WriteOptions): Promise<void> {
    if (change !== undefined) await this.changes.write(sql, accountId, change, options)
    else if ((await readListState(sql, accountId)) !== undefined) throw new DeviceListRequired()
  }

  /** Call it with the account's lock held, when the caller's device has got a new key. */
  async writeKey(sql: Sql, { userId, deviceId }: Caller, change: PreparedChange | undefined): Promise<void> {
    if (change !== undefined) await this.changes.write(sql, userId, change, { whole: deviceId })
    else await requireUncertified(sql, deviceId)
  }
}

/** Call it with the account's lock held. @throws DeviceListRequired if only an entry may change this device */
export async function requireUncertified(sql: Sql, deviceId: bigint): Promise<void> {
  if (await isCertified(sql, deviceId)) throw new DeviceListRequired()
}
