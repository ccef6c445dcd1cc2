import { entryFrame, type Entry } from '../read/entry.js'
import { encodeEntry, joinEntries } from '../../protocol/frames.js'

/** An entry, encoded once for all readers, with what decides which of them may see it. */
export interface EncodedEntry {
  seq: bigint
  kind: Entry['kind']
  epoch: bigint
  bytes: Uint8Array
}

/** Consecutive entries of one group and the frame that holds them; shared by the queues of many sockets. */
export class Batch {
  private encoded: Buffer | undefined

  constructor(readonly entries: readonly EncodedEntry[]) {}

  get frame(): Buffer {
    return (this.encoded ??= joinEntries(this.entries.map((entry) => entry.bytes)))
  }

  /**
   * The entries that a reader may see which has everything up to `after` and joined in `joinEpoch` (§1). If those are all, it is the
   * batch itself, so that its frame stays shared.
   */
  for(after: bigint, joinEpoch: bigint): Batch {
    const visible = this.entries.filter((entry) => entry.seq > after && (entry.kind !== 'application' || entry.epoch >= joinEpoch))
    return visible.length === this.entries.length ? this : new Batch(visible)
  }
}

/** Encodes entries of one group, in the order of its log. */
export function toBatch(entries: readonly Entry[]): Batch {
  return new Batch(
    entries.map((entry) => {
      const { seq, kind, epoch } = entry
      return { seq, kind, epoch, bytes: encodeEntry(entryFrame(entry)) }
    }),
  )
}
