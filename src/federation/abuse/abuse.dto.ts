import { z } from 'zod'
import { UserUri } from '../../authentication/identifiers.dto.js'

/** Of UTF-16: in UTF-8 never more than the 8 KiB that the hub's decoder takes. */
const MAX_NOTE_LENGTH = 2_000

export const ReportAbuse = z
  .strictObject({
    alleged_abuser: UserUri,
    reason: z.int().min(0).max(255).default(0).meta({ description: 'AbuseType of the MIMI protocol, which names none yet; 0 for none' }),
    note: z.string().max(MAX_NOTE_LENGTH).default('').meta({ description: "For the people who run the room's hub" }),
  })
  .meta({ id: 'ReportAbuse', description: 'No messages: those would show their content to the hub' })
export type ReportAbuse = z.infer<typeof ReportAbuse>
