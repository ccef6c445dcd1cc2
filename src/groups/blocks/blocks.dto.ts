import { z } from 'zod'
import { UserUri } from '../../authentication/identifiers.dto.js'
import { CountText, UnixSeconds } from '../../platform/http/bytes.js'

export const ListBlocks = z.strictObject({
  after: UserUri.optional().meta({ description: 'The `next` of the page before' }),
  limit: CountText(1, 1_000).default(500),
})
export type ListBlocks = z.infer<typeof ListBlocks>

export const BlockList = z
  .object({
    blocks: z.array(z.object({ user: UserUri, since: UnixSeconds })),
    next: z.string().optional().meta({ description: 'There may be more: ask again with this as `after`' }),
  })
  .meta({ id: 'BlockList' })
export type BlockList = z.output<typeof BlockList>
