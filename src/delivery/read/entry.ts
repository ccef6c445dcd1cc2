import { z } from 'zod'
import { Epoch, GroupId, Hash, MlsBytes, Seq, UnixSeconds } from '../../platform/http/bytes.js'
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
