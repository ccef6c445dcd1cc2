import type { Sql } from '../../platform/postgres/sql.js'

export interface DeviceStatus {
  /** The device was revoked or its account disabled. */
  readonly revoked: boolean
  /** Access tokens of another generation have ended. */
  readonly generation: number
}

/** On the path of every request: one lookup by primary key, for all devices that ask in one tick. */
export async function readDeviceStatuses(sql: Sql, deviceIds: readonly bigint[]): Promise<Map<bigint, DeviceStatus>> {
  const { rows } = await sql.query<DeviceStatus & { id: bigint }>({
    name: 'read_device_statuses',
    text: `SELECT device.id, device.session_generation AS generation,
             device.revoked_at IS NOT NULL OR account.disabled_at IS NOT NULL AS revoked
           FROM device JOIN account ON account.id = device.account_id
           WHERE device.id = ANY($1::bigint[])`,
    values: [deviceIds],
  })
  return new Map(rows.map(({ id, revoked, generation }) => [id, { revoked, generation }]))
}
