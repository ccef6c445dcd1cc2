import { entryFrame, type Entry } from '../read/entry.js'
import { encodeEntry, joinEntries } from '../../protocol/frames.js'

/** An entry as it goes out, encoded once for everyone, with what decides for whom it is. */
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
   * What of it a reader may see who has everything up to `after` and joined in `joinEpoch` (§1): the batch itself
   * where that is all of it, so that its frame stays shared.
   */
  for(after: bigint, joinEpoch: bigint): Batch {
    const visible = this.entries.filter((entry) => entry.seq > after && (entry.kind !== 'application' || entry.epoch >= joinEpoch))
    return visible.length === this.entries.length ? this : new Batch(visible)
  }
}

export function toBatch(entries: readonly Entry[]): Batch {
  return new Batch(
    entries.map((entry) => {
      const { seq, kind, epoch } = entry
      return { seq, kind, epoch, bytes: encodeEntry(entryFrame(entry)) }
    }),
  )
}
