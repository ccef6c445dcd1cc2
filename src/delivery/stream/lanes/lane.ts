import type { Batch } from '../../feed/batch.js'
import type { LiveReader } from '../../feed/feed.js'
import type { DeviceRange, Place } from '../../read/device-log.repository.js'
import type { Membership } from '../../read/memberships.repository.js'

/**
 * `unchecked`: level as far as is known, but the head was not read since hints are listened for. `behind`: reads on by itself.
 * `level`: has read to the head and may join the feed. `live`: the feed reads for it. `waiting`: for the ack of a Welcome.
 * `ended`: nothing more will come.
 */
export type LanePhase = 'unchecked' | 'behind' | 'level' | 'live' | 'waiting' | 'ended'

/** What the client gets, in order, after the entries before it. */
export type Notice = { kind: 'removed'; seq: bigint } | { kind: 'resync'; lost?: true }

export interface LaneHost {
  readonly deviceId: bigint
  /** A live lane is given the next entries, already cut to what it may see. */
  offered(lane: Lane, batch: Batch, last: bigint): void
  recheck(lane: Lane): void
}

/** The position in one group that a connecting client names. */
export interface KnownPosition {
  incarnation: number
  seq: bigint
}

/**
 * One device's way through one group's log: its intervals, how far entries were queued, and which of them wait for an
 * ack. Pure but for its calls of the host; it reads nothing itself.
 */
export class Lane implements LiveReader {
  phase: LanePhase = 'unchecked'
  /** Everything up to here that is for the device has been queued. */
  cursor = 0n
  private intervals: Membership[] = []
  private readonly unackedSeqs: bigint[] = []
  private begun = false
  /** The interval (its first seq) of which the client knows that it cannot be read on. */
  private resyncSentFor: bigint | undefined

  constructor(
    readonly gid: bigint,
    readonly groupId: Buffer,
    public incarnation: number,
    private readonly host: LaneHost,
  ) {}

  get deviceId(): bigint {
    return this.host.deviceId
  }

  get unacked(): number {
    return this.unackedSeqs.length
  }

  get place(): Place {
    return { gid: this.gid, fromSeq: this.intervals[0]?.fromSeq ?? 0n, after: this.cursor }
  }

  /**
   * Where to begin: behind what the client says it has, else behind what it has acknowledged, and always within its
   * intervals (§7). A position of another incarnation is of another history, one before the floor cannot be served, and
   * one past the end of the log is of entries that the log has lost: a backup was restored, or a replica took over.
   * @param acked what this node knows beyond the table
   */
  begin(memberships: readonly Membership[], acked = 0n, position?: KnownPosition): Notice[] {
    const rows = memberships.filter((row) => row.untilSeq === null || row.untilSeq > acked)
    const first = rows[0]
    const last = rows.at(-1)
    if (!first || !last) {
      this.cursor = acked
      return this.update([])
    }
    const claimed = position && max(min(position.seq, last.untilSeq ?? last.headSeq), first.fromSeq - 1n)
    const lost = position !== undefined && last.untilSeq === null && !last.replica && position.seq > last.headSeq
    const usable = claimed !== undefined && position?.incarnation === this.incarnation && claimed >= first.floorSeq && !lost
    this.cursor = usable ? claimed : max(acked, max(first.acked, first.fromSeq - 1n))
    const resync: Notice[] = position && !usable && !first.resync ? [{ kind: 'resync', ...(lost && { lost }) }] : []
    return [...resync, ...this.update(rows)]
  }

  /** The device's memberships as they are now. */
  update(rows: readonly Membership[]): Notice[] {
    const incarnation = rows[0]?.incarnation ?? this.incarnation
    const restarted = incarnation !== this.incarnation
    if (restarted) {
      this.incarnation = incarnation
      this.unackedSeqs.length = 0
      this.cursor = rows[0]?.acked ?? 0n
    }
    // An interval that was read to its end stays in the table until that is acknowledged; it is no news.
    this.intervals = rows.filter((row) => !this.begun || row.untilSeq === null || row.untilSeq > this.cursor)
    this.begun = true
    const unchanged = this.phase === 'live' && !restarted && this.intervals[0]?.untilSeq === null
    if (!unchanged) this.phase = 'unchecked'
    return [...(restarted ? [{ kind: 'resync' } as const] : []), ...this.settle()]
  }

  /** The log ends before what was sent of it: goes back to what was acknowledged of what is left. */
  rewind(headSeq: bigint): Notice[] {
    const interval = this.intervals[0]
    if (!interval || interval.replica) return []
    this.unackedSeqs.length = 0
    this.cursor = min(headSeq, max(interval.acked, interval.fromSeq - 1n))
    return [{ kind: 'resync', lost: true }]
  }

  /** What was read at `place`, of which the first `taken` entries were queued. */
  advance(range: DeviceRange | undefined, taken: number): Notice[] {
    const interval = this.intervals[0]
    if (!range || !interval) return this.end()
    interval.untilSeq = range.untilSeq
    interval.ended = range.ended
    if (range.retired && range.untilSeq === null) return this.endByResync(interval)
    const complete = range.retired || (range.complete && taken === range.entries.length)
    for (const entry of range.entries.slice(0, taken)) this.unackedSeqs.push(entry.seq)
    if (complete) this.cursor = max(this.cursor, range.untilSeq ?? range.headSeq)
    else this.cursor = range.entries[taken - 1]?.seq ?? this.cursor
    this.phase = complete ? 'level' : 'behind'
    return this.settle()
  }

  /** A device that may not read on in this interval gets a notice, and the next interval is next. */
  private settle(): Notice[] {
    const notices: Notice[] = []
    let interval = this.intervals[0]
    while (interval && interval.untilSeq !== null && this.cursor >= interval.untilSeq) {
      // What a device did by itself it knows: a resync of its own leaf, after which it is in again, and a leave.
      if (interval.ended !== 'resync' && interval.ended !== 'asked') notices.push({ kind: 'removed', seq: interval.untilSeq })
      this.intervals.shift()
      interval = this.intervals[0]
      this.phase = 'unchecked'
    }
    if (!interval) return [...notices, ...this.end()]
    this.cursor = max(this.cursor, interval.fromSeq - 1n)
    if (interval.awaitsWelcomeAck) this.phase = 'waiting'
    return interval.resync ? [...notices, ...this.endByResync(interval)] : notices
  }

  private endByResync(interval: Membership): Notice[] {
    this.phase = 'ended'
    if (this.resyncSentFor === interval.fromSeq) return []
    this.resyncSentFor = interval.fromSeq
    return [{ kind: 'resync' }]
  }

  private end(): Notice[] {
    this.phase = 'ended'
    return []
  }

  offer(batch: Batch, last: bigint): void {
    if (last <= this.cursor) return
    this.host.offered(this, batch.for(this.cursor, this.intervals[0]?.joinEpoch ?? 0n), last)
  }

  recheck(): void {
    this.phase = 'behind'
    this.host.recheck(this)
  }

  /** The entries of a batch that ends at `last` have been queued. */
  queued(batch: Batch, last: bigint): void {
    for (const entry of batch.entries) this.unackedSeqs.push(entry.seq)
    this.cursor = last
  }

  /** @returns how many entries need no ack any more, or undefined for an ack of what was never delivered */
  acknowledge(seq: bigint): number | undefined {
    if (seq > this.cursor) return undefined
    const next = this.unackedSeqs.findIndex((unacked) => unacked > seq)
    return this.unackedSeqs.splice(0, next === -1 ? this.unackedSeqs.length : next).length
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
