import type { Pool } from 'pg'
import { pino } from 'pino'
import { DeliveryMetrics } from '../../src/delivery/delivery-metrics.js'
import type { Batch } from '../../src/delivery/feed/batch.js'
import { Feed, type LiveReader } from '../../src/delivery/feed/feed.js'
import { Metrics } from '../../src/platform/observability/metrics.js'

const metrics = new DeliveryMetrics(new Metrics())
const PAGE = { entries: 4, bytes: 1_000 }

/** A log in memory behind the two statements of a feed; each read can be held until the test lets it go. */
export class FakeLog {
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

export class Reader implements LiveReader {
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
export function setUp() {
  const log = new FakeLog()
  return { log, feed: new Feed(1n, log.pool, PAGE, metrics, pino({ level: 'silent' })) }
}
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}
export const carried = (...seqs: number[]) => ({
  read: () => seqs.map((seq) => ({ seq: BigInt(seq), epoch: 0n, acceptedAt: new Date(), frame: Buffer.of(seq) })),
})
export const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)
