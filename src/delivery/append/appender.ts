import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { failureCodeOf, LOCK_NOT_AVAILABLE } from '../../platform/postgres/failures.js'
import { POOL } from '../../platform/postgres/sql.js'
import { appendMessages, type AppendItem, type AppendOutcome } from './append.repository.js'
import { BatchQueue, type AppendedMessage, type Waiting } from './batch.js'
import { hintOf } from './carried-entries.js'

/** How a batch reaches the log. `waitMs`: for groups that others have locked; with 0, what is for them comes back `busy`. */
export type WriteBatch = (items: readonly AppendItem[], waitMs: number) => Promise<AppendOutcome[]>
/** Called after COMMIT with what is new in each group, in the order of the log. */
export type Appended = (groups: ReadonlyMap<bigint, readonly AppendedMessage[]>) => void

/** Two keep the disk busy while one of them waits for a round trip; more are no faster. */
const WRITERS = 2
/** Beside them, for groups whose rows others have locked: so many connections wait for locks at most, however many groups are locked. */
export const WAITING_LANES = 2
/** A lane waits for one group so long, then for the next one that is locked. Most locks are held for a few milliseconds. */
export const LANE_WAIT_MS = 250
/** So often a lane waits for one batch: together as long as lock_timeout. Then its messages are refused, as temporary. */
export const LANE_TURNS = 8

/** A batch of one group that came back `busy`. */
interface LockedBatch {
  readonly gid: bigint
  waiting: readonly Waiting<AppendOutcome>[]
  turns: number
}

/**
 * Messages that arrive while others are being written go together, in one round trip and one transaction for up to
 * 128 of them. An idle server writes at once.
 *
 * A group never delays another: the writers wait for no lock. What is for a locked group goes to a lane, which waits for that group alone.
 */
export class MicroBatcher {
  private readonly queue = new BatchQueue<AppendOutcome>()
  /** A group is written to by one writer at a time, or the second would wait on the first one's row lock. */
  private readonly busy = new Set<bigint>()
  private writers = 0
  private readonly locked: LockedBatch[] = []
  private lanes = 0

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
      void this.writeBatch(batch).then((locked) => {
        const toLanes = groupsOf(locked)
        for (const gid of groups) if (!toLanes.has(gid)) this.busy.delete(gid)
        for (const [gid, waiting] of toLanes) this.locked.push({ gid, waiting, turns: 0 })
        this.writers -= 1
        this.startLanes()
        this.startWriters()
      })
    }
  }

  /** The groups stay in `busy`, so that later messages of them keep their order. */
  private startLanes(): void {
    while (this.lanes < WAITING_LANES) {
      const batch = this.locked.shift()
      if (!batch) return
      this.lanes += 1
      void this.waitFor(batch).then((done) => {
        if (done) this.busy.delete(batch.gid)
        else this.locked.push(batch)
        this.lanes -= 1
        this.startLanes()
        this.startWriters()
      })
    }
  }

  /** Never rejects. @returns false if the group is locked still, and the batch may wait for another turn */
  private async waitFor(batch: LockedBatch): Promise<boolean> {
    batch.turns += 1
    try {
      const outcomes = await this.write(
        batch.waiting.map(({ item }) => item),
        LANE_WAIT_MS,
      )
      this.settle(batch.waiting, outcomes)
    } catch (error) {
      if (failureCodeOf(error) !== LOCK_NOT_AVAILABLE) batch.waiting = await this.writeAlone(batch.waiting)
      if (batch.turns < LANE_TURNS) return batch.waiting.length === 0
      for (const { reject } of batch.waiting) reject(error)
    }
    return true
  }

  /** Never rejects: each waiting caller gets its own outcome. @returns those whose group is locked: they wait still */
  private async writeBatch(batch: readonly Waiting<AppendOutcome>[]): Promise<Waiting<AppendOutcome>[]> {
    let outcomes: AppendOutcome[]
    try {
      outcomes = await this.write(
        batch.map(({ item }) => item),
        0,
      )
    } catch (error) {
      if (batch.length > 1) return this.writeAlone(batch)
      batch[0]?.reject(error)
      return []
    }
    const isLocked = (index: number) => outcomes[index]?.kind === 'busy'
    this.settle(
      batch.filter((_, index) => !isLocked(index)),
      outcomes.filter(({ kind }) => kind !== 'busy'),
    )
    return batch.filter((_, index) => isLocked(index))
  }

  /**
   * One item may have made the whole batch fail, or the connection was lost after COMMIT. Each by itself: the bad one fails alone, and those
   * that are in the log already are found by their hash.
   */
  private async writeAlone(batch: readonly Waiting<AppendOutcome>[]): Promise<Waiting<AppendOutcome>[]> {
    const locked: Waiting<AppendOutcome>[] = []
    for (const waiting of batch) locked.push(...(await this.writeBatch([waiting])))
    return locked
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

function groupsOf(batch: readonly Waiting<AppendOutcome>[]): Map<bigint, Waiting<AppendOutcome>[]> {
  return Map.groupBy(batch, ({ item }) => item.gid)
}

/** Appends every application message to its group's log, and hints to the readers after COMMIT. */
@Injectable()
export class Appender {
  private readonly batcher: MicroBatcher

  constructor(@Inject(POOL) pool: Pool, @Inject(CONFIG) config: Pick<Config, 'MAX_PAST_EPOCHS' | 'GROUP_MAX_BYTES'>, hints: Hints) {
    this.batcher = new MicroBatcher(
      (items, waitMs) => appendMessages(pool, items, config.MAX_PAST_EPOCHS, waitMs, config.GROUP_MAX_BYTES),
      (groups) => hints.publish([...groups].flatMap(([gid, messages]) => hintOf(gid, messages))),
    )
  }

  append(item: AppendItem): Promise<AppendOutcome> {
    return this.batcher.append(item)
  }
}
