import { type Sql, callFunction } from '../../platform/postgres/sql.js'
import { rowOfGroup } from '../repository/group-row.js'
import type { Delivery, ShownDelivery } from './delivery.dto.js'

export type ChoiceOutcome = 'accepted' | 'unknown' | 'deleted' | 'not-a-member'

/** How a device wants a group delivered, at home here or a replica, and all later groups of its room: see `set_delivery`. */
export async function setDelivery(
  sql: Sql,
  groupId: Uint8Array,
  { deviceId, userId }: { deviceId: bigint; userId: bigint },
  delivery: Delivery,
): Promise<ChoiceOutcome> {
  const { call, values } = callFunction('set_delivery', { p_group_id: groupId, p_device: deviceId, p_user: userId, p_delivery: delivery })
  const { rows } = await sql.query<{ outcome: ChoiceOutcome }>({
    name: 'set_delivery',
    text: `SELECT ${call} AS outcome`,
    values,
    row: rowOfGroup(groupId),
  })
  return rows[0]?.outcome ?? 'unknown'
}

/** How a group is delivered to a device that is a member. @returns undefined if it is none */
export async function deliveryOf(sql: Sql, groupId: Uint8Array, deviceId: bigint): Promise<ShownDelivery | undefined> {
  const { rows } = await sql.query<{ delivery: ShownDelivery }>({
    name: 'delivery_of',
    text: `SELECT m.delivery FROM groups g JOIN member m ON m.gid = g.gid AND m.device_id = $2 AND m.until_seq IS NULL AND m.read_until IS NULL
            WHERE g.group_id = $1 ORDER BY m.from_seq DESC LIMIT 1`,
    values: [groupId, deviceId],
  })
  return rows[0]?.delivery
}
