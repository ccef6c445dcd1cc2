import { z } from 'zod'
import { Seq } from '../../platform/http/bytes.js'

export const ReportCommit = z
  .strictObject({
    seq: Seq.meta({ description: 'The Commit that this client cannot process' }),
    reason: z.enum(['undecryptable', 'bad-confirmation-tag', 'bad-welcome', 'bad-external-pub', 'other']),
  })
  .meta({ id: 'ReportCommit' })
export type ReportCommit = z.infer<typeof ReportCommit>

export const ReportCounted = z
  .object({
    reports: z
      .int()
      .meta({ description: 'Users who reported this Commit and have been in the group ever since: those whom a reset counts' }),
    needed: z.int().meta({ description: 'Enough for a reset without an admin' }),
  })
  .meta({ id: 'ReportCounted' })
export type ReportCounted = z.infer<typeof ReportCounted>
