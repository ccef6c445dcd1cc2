import type { AppendItem, AppendOutcome } from './append.repository.js'

/** A message that waits for its batch, and its caller's promise. */
export interface Waiting<Outcome> {
  item: AppendItem
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
}

/** A message and its place in the log. */
export interface AppendedMessage {
  item: AppendItem
  outcome: Extract<AppendOutcome, { kind: 'accepted' | 'duplicate' }>
}

/** What one call of `append_messages` takes at most: messages, and bytes of them together; one larger message always fits. */
export const MAX_BATCH_ITEMS = 128
export const MAX_BATCH_BYTES = 1024 * 1024

/**
 * Waiting messages per group. A batch takes them round-robin over the groups, so that a flood in one group delays
 * that group's messages and nobody else's; within a group they keep their order.
 */
export class BatchQueue<Outcome> {
  private readonly groups = new Map<bigint, Waiting<Outcome>[]>()
  private count = 0

  get size(): number {
    return this.count
  }

  push(waiting: Waiting<Outcome>): void {
    const queue = this.groups.get(waiting.item.gid)
    if (queue) queue.push(waiting)
    else this.groups.set(waiting.item.gid, [waiting])
    this.count += 1
  }

  /** The next batch, without the groups in `busy`; empty if there is nothing else. A single large message always fits. */
  take(busy: ReadonlySet<bigint>): Waiting<Outcome>[] {
    const batch: Waiting<Outcome>[] = []
    const hashes = new Set<string>()
    let bytes = 0
    let progressed = true
    while (progressed) {
      progressed = false
      for (const [gid, queue] of this.groups) {
        const next = queue[0]
        if (!next || busy.has(gid)) continue
        // The same bytes again: once the first are in the log, they are recognised there.
        const hash = `${gid} ${Buffer.from(next.item.hash).toString('latin1')}`
        if (hashes.has(hash)) continue
        const fits = batch.length < MAX_BATCH_ITEMS && (batch.length === 0 || bytes + next.item.bytes.length <= MAX_BATCH_BYTES)
        if (!fits) return this.rotated(batch)
        queue.shift()
        hashes.add(hash)
        batch.push(next)
        bytes += next.item.bytes.length
        progressed = true
      }
    }
    return this.rotated(batch)
  }

  /** Groups that were served go to the end of the round. */
  private rotated(batch: Waiting<Outcome>[]): Waiting<Outcome>[] {
    this.count -= batch.length
    for (const gid of new Set(batch.map((waiting) => waiting.item.gid))) {
      const rest = this.groups.get(gid)
      this.groups.delete(gid)
      if (rest && rest.length > 0) this.groups.set(gid, rest)
    }
    return batch
  }
}
