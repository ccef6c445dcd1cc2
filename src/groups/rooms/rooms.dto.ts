import { z } from 'zod'
import { CountText, GroupId, RowIdText } from '../../platform/http/bytes.js'
import { Group } from '../groups.dto.js'

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
    group_id: GroupId.meta({ description: 'The group that is current in the room' }),
  })
  .meta({ id: 'Room' })
