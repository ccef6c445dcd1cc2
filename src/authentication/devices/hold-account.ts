import type { Sql } from '../../platform/postgres/sql.js'
import { lockAccount } from '../accounts/accounts.repository.js'
import { DeviceRevoked } from '../authentication.problems.js'
import type { Caller } from '../session/caller.js'
import { actAsDevice } from './devices.repository.js'

/**
 * Takes the lock under which an account's devices and keys change, in a statement before those that check.
 * @throws DeviceRevoked if the caller's device is out of service, also if that was committed while this waited
 */
export async function holdAccount(sql: Sql, { deviceId, userId }: Pick<Caller, 'deviceId' | 'userId'>): Promise<void> {
  if (!(await lockAccount(sql, userId)) || !(await actAsDevice(sql, deviceId))) throw new DeviceRevoked()
}
