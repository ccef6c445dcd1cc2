import type { Sql } from '../../platform/postgres/sql.js'

export interface DeviceStatus {
  /** The device was revoked or its account disabled. */
  readonly revoked: boolean
  /** Access tokens of another generation have ended. */
  readonly generation: number
}

/** A device by its name, as tokens have it. */
export interface SessionDevice extends DeviceStatus {
  readonly deviceId: bigint
  readonly userId: bigint
}

/** On the path of every request: one lookup by a unique index, for all devices that ask in one tick. */
export async function readSessionDevices(sql: Sql, clients: readonly string[]): Promise<Map<string, SessionDevice>> {
  const { rows } = await sql.query<SessionDevice & { client: string }>({
    name: 'read_session_devices',
    text: `SELECT device.client_uri AS client, device.id AS "deviceId", device.account_id AS "userId",
             device.session_generation AS generation, device.revoked_at IS NOT NULL OR account.disabled_at IS NOT NULL AS revoked
           FROM device JOIN account ON account.id = device.account_id
           WHERE device.client_uri = ANY($1::text[])`,
    values: [clients],
  })
  return new Map(rows.map(({ client, ...device }) => [client, device]))
}

/** The same by primary key, for open streams. */
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
