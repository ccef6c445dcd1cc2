import { z } from 'zod'
import { CountText, Epoch, EpochText, GroupId, Hash, MlsBytes, Seq, SeqText, UnixSeconds } from '../../platform/http/bytes.js'
import type { EntryFrame } from '../../protocol/frames.js'

/** One entry of a group's log, the same in JSON, in CBOR and on the stream. It never says who sent it. */
export const Entry = z
  .object({
    group_id: GroupId,
    incarnation: z.int().positive(),
    seq: Seq,
    kind: z.enum(['commit', 'proposal', 'application']),
    epoch: Epoch,
    accepted_at: UnixSeconds,
    hash: Hash,
    chain: Hash,
    message: MlsBytes(),
  })
  .meta({ id: 'Entry', description: 'A log entry. `hash` is SHA-256 of `message`; `chain` extends the chain of the entries before it.' })
export type Entry = z.output<typeof Entry>

/** Numbers instead of bigints: seq and epoch stay below 2^53. */
export function entryFrame(entry: Entry): EntryFrame {
  return {
    ...entry,
    seq: Number(entry.seq),
    epoch: Number(entry.epoch),
    accepted_at: Math.floor(entry.accepted_at.getTime() / 1000),
  }
}

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
    next_seq: Seq.optional().meta({ description: 'Where to go on; absent at the end of what this device may read.' }),
    head_seq: Seq.meta({
      description: 'The last entry that this device may read; 0 while the log waits for the acknowledgement of its Welcome.',
    }),
    incarnation: z.int().positive(),
  })
  .meta({ id: 'LogPage' })
export type LogPage = z.output<typeof LogPage>
