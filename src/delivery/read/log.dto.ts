import { z } from 'zod'
import { CountText, EpochText, Seq, SeqText } from '../../platform/http/bytes.js'
import { Entry } from './entry.js'

export const LogQuery = z
  .strictObject({
    from_seq: SeqText.optional().meta({ description: 'First entry wanted. Default: the first that this device may read.' }),
    from_epoch: EpochText.optional().meta({ description: 'Instead: everything after the Commit that began this epoch.' }),
    limit: CountText(1, 500).optional().meta({ description: 'Default 100. A page also ends at about a megabyte.' }),
  })
  .refine((query) => query.from_seq === undefined || query.from_epoch === undefined, 'Either from_seq or from_epoch')
export type LogQuery = z.output<typeof LogQuery>

export const LogPage = z
  .object({
    entries: z.array(Entry),
    next_seq: Seq.optional().meta({ description: 'Where to continue; absent at the end of what this device may read.' }),
    head_seq: Seq.meta({
      description: 'The last entry that this device may read; 0 while the log waits for the acknowledgement of its Welcome.',
    }),
    incarnation: z.int().positive(),
  })
  .meta({ id: 'LogPage' })
export type LogPage = z.output<typeof LogPage>
