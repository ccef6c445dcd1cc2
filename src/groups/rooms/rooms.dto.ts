import { z } from 'zod'
import { CountText, GroupId, RowIdText } from '../../platform/http/bytes.js'
import { Group, MlsGroupId } from '../groups.dto.js'

export const ListGroups = z.strictObject({
  after: RowIdText.optional().meta({ description: 'The `next` of the page before' }),
  limit: CountText(1, 500).default(100),
})
export type ListGroups = z.infer<typeof ListGroups>

export const MyGroups = z
  .object({
    groups: z.array(Group),
    next: z.string().optional().meta({ description: 'There may be more: ask again with this as `after`' }),
  })
  .meta({ id: 'MyGroups' })

export const Room = z
  .object({
    room: z.string(),
    group_id: GroupId.meta({ description: 'The group that is current in the room, as it is addressed here' }),
    mls_group_id: MlsGroupId.optional(),
  })
  .meta({ id: 'Room' })

const ROOM = /^(?:mimi:\/\/([a-z0-9.:-]{1,260})\/r\/)?([a-z0-9][a-z0-9._-]{0,63})$/

/** A room by its local name or its URI; which domains are ours is for `roomUri` to say. */
export const RoomReference = z
  .string()
  .max(400)
  .regex(ROOM, 'Expected a room name, or mimi://<domain>/r/<room>')
  .meta({
    description: 'Room: a local name, or mimi://<domain>/r/<name>',
    examples: ['lobby'],
  })

/** The same in a query, which proxies leave alone. */
export const ByRoom = z.strictObject({ room: RoomReference })
export type ByRoom = z.infer<typeof ByRoom>

/** The one spelling that is stored; undefined for a room of another domain. */
export function roomUri(domain: string, reference: string): string | undefined {
  const [, foreign, name] = ROOM.exec(reference) ?? []
  if (name === undefined || (foreign !== undefined && foreign !== domain)) return undefined
  return `mimi://${domain}/r/${name}`
}

/** The URI of a room of another domain, and that domain; undefined for one of this server. */
export function foreignRoom(domain: string, reference: string): { roomId: string; hub: string } | undefined {
  const [, hub, name] = ROOM.exec(reference) ?? []
  return name === undefined || hub === undefined || hub === domain ? undefined : { roomId: `mimi://${hub}/r/${name}`, hub }
}
