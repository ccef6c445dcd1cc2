import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { POOL } from '../../platform/postgres/sql.js'
import { appendMessages, type AppendItem, type AppendOutcome } from './append.repository.js'
import { BatchQueue, type AppendedMessage, type Waiting } from './batch.js'
import { hintOf } from './carried-entries.js'

/** How a batch reaches the log. */
export type WriteBatch = (items: readonly AppendItem[]) => Promise<AppendOutcome[]>
/** Called after COMMIT with what is new in each group, in the order of the log. */
export type Appended = (groups: ReadonlyMap<bigint, readonly AppendedMessage[]>) => void

/** Two keep the disk busy while one of them waits for a round trip; more are no faster. */
const WRITERS = 2

/**
 * Messages that arrive while others are being written go together, in one round trip and one transaction for up to
 * 128 of them. An idle server writes at once.
 */
export class MicroBatcher {
  private readonly queue = new BatchQueue<AppendOutcome>()
  /** A group is written to by one writer at a time, or the second would wait on the first one's row lock. */
  private readonly busy = new Set<bigint>()
  private writers = 0

  constructor(
    private readonly write: WriteBatch,
    private readonly appended: Appended,
  ) {}

  /** Resolves after COMMIT with what became of this one message; rejects only if the database failed for it alone, too. */
  append(item: AppendItem): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      this.queue.push({ item, resolve, reject })
      this.startWriters()
    })
  }

  private startWriters(): void {
    while (this.writers < WRITERS && this.queue.size > 0) {
      const batch = this.queue.take(this.busy)
      if (batch.length === 0) return
      const groups = new Set(batch.map(({ item }) => item.gid))
      for (const gid of groups) this.busy.add(gid)
      this.writers += 1
      void this.writeBatch(batch).finally(() => {
        for (const gid of groups) this.busy.delete(gid)
        this.writers -= 1
        this.startWriters()
      })
    }
  }

  /** Never rejects: each waiting caller gets its own outcome. */
  private async writeBatch(batch: readonly Waiting<AppendOutcome>[]): Promise<void> {
    let outcomes: AppendOutcome[]
    try {
      outcomes = await this.write(batch.map(({ item }) => item))
    } catch (error) {
      // One item may have made the whole batch fail, or the connection was lost after COMMIT. Each by itself: the bad one fails alone, and
      // those that are in the log already are found by their hash.
      if (batch.length === 1) return batch[0]?.reject(error)
      for (const waiting of batch) await this.writeBatch([waiting])
      return
    }
    this.settle(batch, outcomes)
  }

  private settle(batch: readonly Waiting<AppendOutcome>[], outcomes: readonly AppendOutcome[]): void {
    const groups = new Map<bigint, AppendedMessage[]>()
    for (const [index, waiting] of batch.entries()) {
      const outcome = outcomes[index]
      if (outcome?.kind === 'accepted') {
        const { item } = waiting
        const known = groups.get(item.gid)
        if (known) known.push({ item, outcome })
        else groups.set(item.gid, [{ item, outcome }])
      }
      if (outcome) waiting.resolve(outcome)
      else waiting.reject(new Error('the log answered fewer items than it was given'))
    }
    if (groups.size > 0) this.appended(groups)
  }
}

/** Appends every application message to its group's log, and hints to the readers after COMMIT. */
@Injectable()
export class Appender {
  private readonly batcher: MicroBatcher

  constructor(@Inject(POOL) pool: Pool, @Inject(CONFIG) config: Pick<Config, 'MAX_PAST_EPOCHS' | 'GROUP_MAX_BYTES'>, hints: Hints) {
    this.batcher = new MicroBatcher(
      (items) => appendMessages(pool, items, config.MAX_PAST_EPOCHS, config.GROUP_MAX_BYTES),
      (groups) => hints.publish([...groups].flatMap(([gid, messages]) => hintOf(gid, messages))),
    )
  }

  append(item: AppendItem): Promise<AppendOutcome> {
    return this.batcher.append(item)
  }
}
