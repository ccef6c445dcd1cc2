import { z } from 'zod'
import { CountText, GroupId, RowId, Seq } from '../../platform/http/bytes.js'
import { InboxItem } from '../inbox/inbox-item.js'
import { Entry } from '../read/entry.js'

export const EventsQuery = z.strictObject({
  wait: CountText(0, 60).optional().meta({ description: 'Seconds to wait if there is nothing yet. Default 0.' }),
  limit: CountText(1, 500).optional().meta({ description: 'Most entries wanted, default 100. A page also ends at about a megabyte.' }),
})
export type EventsQuery = z.output<typeof EventsQuery>

export const Events = z
  .object({
    inbox: z.array(InboxItem),
    entries: z.array(Entry).meta({ description: 'By group, in the order of each log.' }),
    more: z.boolean().meta({ description: 'There is more than this page; acknowledge it and ask again.' }),
  })
  .meta({ id: 'Events', description: 'The same events come again until they are acknowledged.' })
export type Events = z.output<typeof Events>

const AckPosition = z.strictObject({ group_id: GroupId, incarnation: z.int().positive(), seq: Seq })

export const AcknowledgeEvents = z
  .strictObject({
    acks: z.array(AckPosition).max(1_024).default([]).meta({ description: 'Cumulative: everything of the group up to seq.' }),
    inbox: z.array(RowId).max(1_024).default([]).meta({ description: 'Ids of inbox items.' }),
  })
  .meta({ id: 'AcknowledgeEvents' })
export type AcknowledgeEvents = z.output<typeof AcknowledgeEvents>

export const EventsAcknowledged = z
  .object({
    acks: z.int().meta({ description: 'Cursors that moved.' }),
    inbox: z.int().meta({ description: 'Inbox items that are gone.' }),
  })
  .meta({ id: 'EventsAcknowledged' })
export type EventsAcknowledged = z.output<typeof EventsAcknowledged>
