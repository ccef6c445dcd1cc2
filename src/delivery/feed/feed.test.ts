import { describe, expect, it } from '@jest/globals'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { Metrics } from '../../platform/observability/metrics.js'
import { DeliveryMetrics } from '../delivery.metrics.js'
import type { Batch } from './batch.js'
import { Feed, type LiveReader } from './feed.js'

const metrics = new DeliveryMetrics(new Metrics())
const PAGE = { entries: 4, bytes: 1_000 }

/** A log in memory behind the two statements of a feed; each read can be held until the test lets it go. */
class FakeLog {
  head = 0
  floor = 0
  incarnation = 1
  deleted = false
  /** Retention took everything. */
  empty = false
  commits = new Map<number, bigint[]>()
  reads = 0
  held: (() => void)[] | undefined

  readonly pool = { query: (query: { name: string; values: unknown[] }) => this.query(query) } as unknown as Pool

  private async query({ name, values }: { name: string; values: unknown[] }) {
    if (name === 'devices_touched') {
      const touched = [...this.commits].filter(([seq]) => BigInt(seq) >= (values[1] as bigint) && BigInt(seq) <= (values[2] as bigint))
      return { rows: touched.flatMap(([, devices]) => devices.map((deviceId) => ({ deviceId }))) }
    }
    this.reads += 1
    const rows = this.rows(Number(values[1]))
    if (this.held) await new Promise<void>((resolve) => this.held?.push(resolve))
    return { rows }
  }

  private rows(after: number) {
    if (this.deleted) return []
    const group = { groupId: Buffer.of(1), incarnation: this.incarnation, headSeq: BigInt(this.head), floorSeq: BigInt(this.floor) }
    const seqs = Array.from({ length: Math.min(PAGE.entries, Math.max(0, this.head - after)) }, (_, index) => after + 1 + index)
    if (this.empty || seqs.length === 0) return [{ ...group, seq: null, bytes: null }]
    const entry = { epoch: 0n, acceptedAt: new Date(), hash: Buffer.alloc(32), chain: Buffer.alloc(32), bytes: Buffer.of(1) }
    return seqs.map((seq) => ({ ...group, ...entry, seq: BigInt(seq), kind: this.commits.has(seq) ? 'c' : 'a' }))
  }
}

class Reader implements LiveReader {
  incarnation = 1
  seen: number[] = []
  rechecked = 0
  constructor(
    readonly deviceId: bigint,
    public cursor = 0n,
    private readonly onOffer: () => void = () => undefined,
  ) {}
  offer(batch: Batch, last: bigint): void {
    if (last <= this.cursor) return
    this.seen.push(...batch.for(this.cursor, 0n).entries.map((entry) => Number(entry.seq)))
    this.cursor = last
    this.onOffer()
  }
  recheck(): void {
    this.rechecked += 1
  }
}
function setUp() {
  const log = new FakeLog()
  return { log, feed: new Feed(1n, log.pool, PAGE, metrics, pino({ level: 'silent' })) }
}
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}
const carried =
  (...seqs: number[]) =>
  () =>
    seqs.map((seq) => ({ seq: BigInt(seq), epoch: 0n, acceptedAt: new Date(), frame: Buffer.of(seq) }))
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

describe('a feed', () => {
  it('reads on in pages until it has what the hint says, for all its readers at once', async () => {
    const { log, feed } = setUp()
    const readers = [new Reader(1n), new Reader(2n)]
    for (const reader of readers) expect(feed.join(reader)).toBe(true)
    log.head = 10
    feed.hear({ headSeq: 10n })
    await settled()
    expect(readers.map((reader) => reader.seen)).toEqual([upTo(10), upTo(10)])
    expect(log.reads).toBe(3)
  })

  it('passes on what a hint brings along, without reading', async () => {
    const { log, feed } = setUp()
    const readers = [new Reader(1n), new Reader(2n)]
    for (const reader of readers) feed.join(reader)
    log.head = 2
    feed.hear({ headSeq: 2n, incarnation: 1, entries: carried(1, 2) })
    log.head = 3
    feed.hear({ headSeq: 2n, incarnation: 1, entries: carried(1, 2) }) // told twice
    await settled()
    feed.hear({ headSeq: 3n, incarnation: 1, entries: carried(3) })
    await settled()
    expect(readers.map((reader) => reader.seen)).toEqual([upTo(3), upTo(3)])
    expect(log.reads).toBe(0)
  })

  it.each([
    ['something is missing before it: that might be a Commit', { headSeq: 3n, incarnation: 1, entries: carried(3) }],
    ['something is missing in it', { headSeq: 3n, incarnation: 1, entries: carried(1, 3) }],
    ['it ends before the log does', { headSeq: 3n, incarnation: 1, entries: carried(1, 2) }],
    ['it is of another incarnation', { headSeq: 3n, incarnation: 2, entries: carried(1, 2, 3) }],
    ['it is of no incarnation', { headSeq: 3n, entries: carried(1, 2, 3) }],
  ])('reads the log itself where %s', async (_why, news) => {
    const { log, feed } = setUp()
    const [stays, goes] = [new Reader(1n), new Reader(2n)]
    for (const reader of [stays, goes]) feed.join(reader)
    log.commits.set(2, [2n])
    log.head = 3
    feed.hear(news)
    await settled()
    expect([stays.seen, stays.rechecked]).toEqual([upTo(3), 0])
    expect([goes.seen, goes.rechecked]).toEqual([[], 1])
    expect(log.reads).toBe(1)
  })

  it('goes on for all others when one reader fails, which looks again', async () => {
    const { log, feed } = setUp()
    const fails = new Reader(1n, 0n, () => {
      throw new Error('no')
    })
    const other = new Reader(2n)
    for (const reader of [fails, other]) feed.join(reader)
    log.head = 1
    feed.hear({ headSeq: 1n })
    await settled()
    log.head = 2
    feed.hear({ headSeq: 2n })
    await settled()
    expect(other.seen).toEqual([1, 2])
    expect(fails.rechecked).toBe(1)
  })

  it('reads what was brought along while it was reading, in order', async () => {
    const { log, feed } = setUp()
    const reader = new Reader(1n)
    feed.join(reader)
    log.head = 1
    log.held = []
    feed.hear({ headSeq: 1n })
    log.head = 2
    feed.hear({ headSeq: 2n, incarnation: 1, entries: carried(2) })
    const [first] = log.held
    log.held = undefined
    first?.()
    await settled()
    expect(reader.seen).toEqual([1, 2])
  })

  it('only marks what it hears while it reads, and reads once more for all of that', async () => {
    const { log, feed } = setUp()
    const reader = new Reader(1n)
    feed.join(reader)
    log.head = 1
    log.held = []
    feed.hear({ headSeq: 1n })
    for (log.head = 2; log.head < 5; log.head++) feed.hear({ headSeq: BigInt(log.head) })
    log.head = 4
    expect(log.reads).toBe(1)
    const [first] = log.held
    log.held = undefined
    first?.()
    await settled()
    expect(reader.seen).toEqual(upTo(4))
    expect(log.reads).toBe(2)
  })

  it('misses no hint, in whichever turn of the microtask queue it comes', async () => {
    for (let turns = 0; turns < 30; turns++) {
      const { log, feed } = setUp()
      let hinted = false
      const reader = new Reader(1n, 0n, () => void later())
      const later = async () => {
        if (hinted) return
        hinted = true
        for (let turn = 0; turn < turns; turn++) await Promise.resolve()
        feed.hear({ headSeq: BigInt((log.head = 2)) })
      }
      feed.join(reader)
      feed.hear({ headSeq: BigInt((log.head = 1)) })
      await settled()
      expect(reader.seen).toEqual([1, 2])
    }
  })

  it('takes a reader only where it has read itself level with the others', async () => {
    const { log, feed } = setUp()
    const ahead = new Reader(1n)
    feed.join(ahead)
    feed.hear({ headSeq: BigInt((log.head = 3)) })
    await settled()
    const late = new Reader(2n, 2n)
    expect(feed.join(late)).toBe(false)
    late.cursor = 3n
    expect(feed.join(late)).toBe(true)
    const further = new Reader(3n, 4n) // its own read saw what no hint has told yet
    expect(feed.join(further)).toBe(true)
    feed.hear({ headSeq: BigInt((log.head = 5)) })
    await settled()
    expect([ahead.seen, late.seen, further.seen]).toEqual([[1, 2, 3, 4, 5], [4, 5], [5]])
  })

  it('reads for a reader that joins after the hint', async () => {
    const { log, feed } = setUp()
    log.head = 2
    feed.hear({ headSeq: 2n })
    expect(log.reads).toBe(0)
    const reader = new Reader(1n, 1n)
    feed.join(reader)
    await settled()
    expect(reader.seen).toEqual([2])
  })

  it('shows a batch with a Commit to nobody whose membership it touched', async () => {
    const { log, feed } = setUp()
    const [stays, goes] = [new Reader(1n), new Reader(2n)]
    for (const reader of [stays, goes]) feed.join(reader)
    log.commits.set(2, [2n])
    feed.hear({ headSeq: BigInt((log.head = 3)) })
    await settled()
    expect([stays.seen, stays.rechecked]).toEqual([[1, 2, 3], 0])
    expect([goes.seen, goes.rechecked]).toEqual([[], 1])
    feed.hear({ headSeq: BigInt((log.head = 4)) })
    await settled()
    expect(goes.seen).toEqual([])
  })

  it('sends everyone to look again when the group is gone, its floor has passed them, or its incarnation changed', async () => {
    for (const change of [{ deleted: true }, { floor: 2 }, { incarnation: 2 }]) {
      const { log, feed } = setUp()
      const reader = new Reader(1n)
      feed.join(reader)
      Object.assign(log, change, { head: 3 })
      feed.hear({ headSeq: 3n })
      await settled()
      expect([reader.seen, reader.rechecked]).toEqual([[], 1])
    }
  })

  it('is not kept busy by a hint ahead of the log, nor by entries that retention took', async () => {
    const { log, feed } = setUp()
    const reader = new Reader(1n)
    feed.join(reader)
    log.head = 1
    feed.hear({ headSeq: 99n })
    await settled()
    expect(reader.seen).toEqual([1])
    log.empty = true
    feed.hear({ headSeq: BigInt((log.head = 5)) })
    await settled()
    log.empty = false
    feed.hear({ headSeq: BigInt((log.head = 6)) })
    await settled()
    expect(reader.seen).toEqual([1, 6])
    expect(log.reads).toBeLessThan(8)
  })
})
