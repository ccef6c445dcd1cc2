import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { DeliveryMetrics } from '../delivery-metrics.js'
import type { PageLimits } from '../read/device-log.repository.js'
import type { GroupNews } from '../interest.js'
import { devicesTouched, readGroup, type GroupRange } from '../read/group-log.repository.js'
import { Batch, toBatch } from './batch.js'

/** A stream's reader in one group, while it is level with the group's log. */
export interface LiveReader {
  readonly deviceId: bigint
  readonly incarnation: number
  /** Everything up to here that is for this reader has been queued. */
  readonly cursor: bigint
  /** The next entries of the group. The reader takes what is for it, or falls behind. */
  offer(batch: Batch, last: bigint): void
  /** Its membership, or the log itself, is not what it was: look again before reading on. */
  recheck(): void
}

type Carried = ReturnType<NonNullable<GroupNews['entries']>['read']>

/** Readers that get a batch at one go, before other work has its turn. */
const PUSH_SLICE = 256
const NOBODY: ReadonlySet<bigint> = new Set()

/**
 * The live end of one group's log on this node: one read feeds every reader that is level with it.
 *
 * The cut-over needs no lock. `tail` is what has been offered to all live readers; a reader may join exactly when it
 * has read that far by itself, which is checked and done in one turn of the event loop. So what is read next follows
 * what the reader has, and what has come since is in `wanted`.
 */
export class Feed {
  private readonly live = new Set<LiveReader>()
  private tail = 0n
  private wanted = 0n
  private reading = false
  /** Where the tail was when the sweep came by. A log that ends before it at the next one has lost entries. */
  private sweptTail = 0n

  constructor(
    readonly gid: bigint,
    private readonly pool: Pool,
    private readonly limits: PageLimits,
    private readonly metrics: DeliveryMetrics,
    private readonly log: Logger,
  ) {}

  /** @returns false if others have been fed past the reader's cursor: it must read on by itself and try again */
  join(reader: LiveReader): boolean {
    if (this.live.size === 0 && !this.reading) this.tail = reader.cursor
    if (reader.cursor < this.tail) return false
    this.live.add(reader)
    this.readOn()
    return true
  }

  leave(reader: LiveReader): void {
    this.live.delete(reader)
  }

  /**
   * A hint or the sweep says that the log reaches `headSeq`; while a read is under way, that only marks it. Entries that
   * come along and follow what everyone has spare the read. Whatever is missing before them might be a Commit.
   */
  onNews({ headSeq, incarnation, entries }: GroupNews): void {
    if (headSeq > this.wanted) this.wanted = headSeq
    const carried = entries && this.ready(incarnation) ? entries.read() : undefined
    if (carried && this.follows(carried, headSeq)) return this.take(carried)
    // What came with entries is a hint, which may be old; the sweep knows.
    if (!entries && incarnation !== undefined) {
      this.expect(incarnation)
      this.noticeLoss(headSeq)
    }
    this.readOn()
  }

  private ready(incarnation: number | undefined): boolean {
    return !this.reading && this.live.size > 0 && [...this.live].every((reader) => reader.incarnation === incarnation)
  }

  private follows(entries: Carried, headSeq: bigint): boolean {
    return headSeq === this.tail + BigInt(entries.length) && entries.every(({ seq }, index) => seq === this.tail + BigInt(index + 1))
  }

  private take(entries: Carried): void {
    const batch = new Batch(entries.map(({ seq, epoch, frame }) => ({ seq, kind: 'application', epoch, bytes: frame })))
    this.metrics.liveBatches.inc({ source: 'hint' })
    this.busyWith(this.offer(batch, this.tail + BigInt(entries.length), entries.at(-1)?.acceptedAt))
  }

  private readOn(): void {
    if (this.reading || this.live.size === 0 || this.wanted <= this.tail) return
    this.busyWith(this.read())
  }

  /** One piece of work at a time: news that arrives during it is in `wanted`. */
  private busyWith(work: Promise<void>): void {
    this.reading = true
    work.then(
      () => {
        this.reading = false
        this.readOn() // for a hint between the last look at `wanted` and now
      },
      (error: unknown) => {
        this.reading = false
        this.log.warn({ err: error }, 'live read failed') // the sweep comes by and tries again
      },
    )
  }

  private async read(): Promise<void> {
    while (this.live.size > 0 && this.wanted > this.tail) {
      const wanted = this.wanted
      const range = await readGroup(this.pool, this.gid, this.tail, this.limits)
      if (!range || range.floorSeq > this.tail) return this.recheckAll()
      // A hint ahead of the log (or of another incarnation) must not make this a busy loop.
      if (this.wanted === wanted) this.wanted = range.headSeq
      if (range.headSeq < this.tail) return this.recheckAll() // entries were lost: see `noticeLoss`
      this.expect(range.incarnation)
      // Nothing left up to the head: retention took it.
      if (range.entries.length === 0) this.tail = range.headSeq
      else await this.push(range)
    }
  }

  private async push(range: GroupRange): Promise<void> {
    const batch = toBatch(range.entries)
    const first = range.entries.at(0)?.seq ?? 0n
    const last = range.entries.at(-1)?.seq ?? this.tail
    // A Commit may have removed readers, or a Remove have been proposed for one that left: they may not see the rest of the log.
    const handshakes = range.entries.some((entry) => entry.kind !== 'application')
    const touched = handshakes ? await devicesTouched(this.pool, this.gid, first, last) : NOBODY
    this.metrics.liveBatches.inc({ source: 'log' })
    await this.offer(batch, last, range.entries.at(-1)?.accepted_at, touched)
  }

  private async offer(batch: Batch, last: bigint, acceptedAt = new Date(), touched = NOBODY): Promise<void> {
    this.tail = last
    this.metrics.lag.observe(Math.max(0, (Date.now() - acceptedAt.getTime()) / 1000))
    let offered = 0
    for (const reader of [...this.live]) {
      if (++offered % PUSH_SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
      if (!this.live.has(reader)) continue
      if (touched.has(reader.deviceId)) this.recheck(reader)
      else this.offerTo(reader, batch, last)
    }
  }

  /** A reader that fails must not leave others behind `tail`, and must not have a gap itself. */
  private offerTo(reader: LiveReader, batch: Batch, last: bigint): void {
    try {
      reader.offer(batch, last)
    } catch (error) {
      this.log.error({ err: error }, 'a reader could not take entries')
      this.recheck(reader)
    }
  }

  private expect(incarnation: number): void {
    for (const reader of [...this.live]) if (reader.incarnation !== incarnation) this.recheck(reader)
  }

  /**
   * A backup was restored, or a replica of the database took over. `headSeq` may have been read before the tail came to where it is
   * now, but not before it came to where it was at the sweep before.
   */
  private noticeLoss(headSeq: bigint): void {
    const lost = headSeq < this.sweptTail
    if (lost) this.recheckAll()
    this.sweptTail = lost || this.live.size === 0 ? 0n : this.tail
  }

  private recheckAll(): void {
    for (const reader of [...this.live]) this.recheck(reader)
  }

  private recheck(reader: LiveReader): void {
    this.live.delete(reader)
    reader.recheck()
  }
}
