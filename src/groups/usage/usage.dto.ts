import { z } from 'zod'
import { Amount, GroupId } from '../../platform/http/bytes.js'

const Quota = z.object({ used: Amount, allowed: z.int() })

export const Usage = z
  .object({
    submitted: Quota.meta({
      description: 'Bytes of messages, Commits, Proposals and new groups within a day, which begins with the first of them',
    }),
    storage: Quota.meta({ description: 'Bytes that the groups which this account has created keep' }),
    groups: Quota.meta({ description: 'Groups that this account has created, without those that were deleted' }),
    key_packages: Quota.meta({ description: 'KeyPackages that are kept for the active devices of the account' }),
    largest: z
      .array(z.object({ group_id: GroupId, room: z.string(), used: Amount, allowed: z.int() }))
      .meta({ description: 'The largest of these groups, in bytes; the largest first, 100 at most' }),
  })
  .meta({ id: 'Usage' })
export type Usage = z.infer<typeof Usage>
