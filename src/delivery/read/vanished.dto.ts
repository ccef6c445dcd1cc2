import { z } from 'zod'
import { CountText, Epoch, Hash, Seq, SeqText } from '../../platform/http/bytes.js'
import { LOG_KINDS } from '../../protocol/log-chain.js'

export const VanishedQuery = z.strictObject({
  from_seq: SeqText.optional().meta({ description: 'First entry wanted.' }),
  limit: CountText(1, 1_000).optional().meta({ description: 'Default 1,000.' }),
})
export type VanishedQuery = z.output<typeof VanishedQuery>

const VanishedEntry = z
  .object({ seq: Seq, kind: z.enum(LOG_KINDS), epoch: Epoch, hash: Hash })
  .meta({ id: 'VanishedEntry', description: 'What is left of an entry: `hash` is SHA-256 of its `message`.' })

export const VanishedEntries = z
  .object({
    incarnation: z.int().positive().meta({ description: 'Of the group now.' }),
    entries: z.array(VanishedEntry),
    next_seq: Seq.optional().meta({ description: 'Where to continue, if there are more.' }),
  })
  .meta({ id: 'VanishedEntries' })
export type VanishedEntries = z.output<typeof VanishedEntries>
