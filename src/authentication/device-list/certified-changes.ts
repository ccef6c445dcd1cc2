import { Injectable } from '@nestjs/common'
import type { Sql } from '../../platform/postgres/sql.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { DeviceListRequired } from '../authentication.problems.js'
import type { Caller } from '../session/caller.js'
import { DeviceListChanges, type PreparedChange, type WriteOptions } from './device-list-changes.js'
import type { DeviceListUpdate } from './device-list.dto.js'
import { isCertified, readListState } from './device-lists.repository.js'

/** What changes devices and keys of an account: where it has a device list, never a session alone. */
@Injectable()
export class CertifiedChanges {
  constructor(private readonly changes: DeviceListChanges) {}

  /**
   * The entry that certifies a device or a key which is to be added.
   * @throws InvalidRequest if it is more than one entry or the account has no list, RateLimited, and what `prepare` throws
   */
  async prepareFor(caller: Caller, update: DeviceListUpdate): Promise<PreparedChange> {
    if (update.entries.length > 1) throw new InvalidRequest('One entry certifies what is added: send others by POST /v1/device-list.')
    await this.changes.take(caller.client)
    const change = await this.changes.prepare(caller.user, caller.userId, update)
    if (change.before === undefined) throw new InvalidRequest('The account has no device list that the entry could follow.')
    return change
  }

  /** The entries that begin the identity of a client's user. */
  async prepareFirst(client: string, update: DeviceListUpdate | undefined): Promise<PreparedChange | undefined> {
    const parsed = parseClientUri(client)
    return parsed && update && (await this.changes.prepare(userUri(parsed), undefined, update, client))
  }

  /** Call it with the account's lock held, for a device that was added or has got a key. @throws DeviceListRequired, and what `write` throws */
  async writeDevice(sql: Sql, accountId: bigint, change: PreparedChange | undefined, options: WriteOptions): Promise<void> {
    if (change !== undefined) await this.changes.write(sql, accountId, change, options)
    else await requireNoList(sql, accountId)
  }
}

/** Call it with the account's lock held. @throws DeviceListRequired if only an entry may change this device */
export async function requireUncertified(sql: Sql, deviceId: bigint): Promise<void> {
  if (await isCertified(sql, deviceId)) throw new DeviceListRequired()
}

/** For what only entries may change. @throws DeviceListRequired if the account has a device list */
export async function requireNoList(sql: Sql, accountId: bigint): Promise<void> {
  if ((await readListState(sql, accountId)) !== undefined) throw new DeviceListRequired()
}
