import { randomUUID } from 'node:crypto'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { utf8 } from '../../examples/client/wire.js'
import type { Stage } from '../groups/group-fixture.js'

export const POLICY = { add_members: 'admins', remove_members: 'admins', external_join: 'none' } as const
export const RESERVED = { status: 403, kind: 'successor-reserved' }

/** What a group says of its place in its room. */
export interface View {
  group_id: Uint8Array
  room: string
  frozen?: string
  successor?: Uint8Array
  successor_of?: Uint8Array
}

export const view = (client: Client, group: Group) => client.device.http.get<View>(group.path)
export const current = (client: Client, { room }: View) =>
  client.device.http.get<{ group_id: Uint8Array }>(`/v1/rooms?room=${encodeURIComponent(room)}`).then((found) => found.group_id)
export const reset = (client: Client, group: Group) => client.device.http.post(`${group.path}/reset`)
export const undo = (client: Client, group: Group) => client.device.http.delete(`${group.path}/reset`)
export const report = (client: Client, group: Group, seq: number) =>
  client.device.http.post<{ reports: number; needed: number }>(`${group.path}/reports`, { seq, reason: 'undecryptable' })
export const succeed = (client: Client, group: Group, groupId = utf8(randomUUID())) =>
  client.createGroup({ groupId, mode: group.record.mode, successorOf: group.record.groupId })

/** As if the time for which the place of the group is reserved had passed. */
export async function waitGrace(stage: Stage, group: Group): Promise<void> {
  await stage.pool.query("UPDATE groups SET reserved_until = reserved_until - interval '1 day' WHERE gid = $1", [await stage.gid(group)])
}
