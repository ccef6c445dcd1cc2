import { randomBytes } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { Hints } from '../../platform/hints/hints.js'
import { LOG } from '../../platform/observability/log.js'
import { POOL } from '../../platform/postgres/sql.js'
import { CloseCode } from '../../protocol/frames.js'
import { DeliveryMetrics } from '../delivery-metrics.js'
import { Interest, type DeviceNews } from '../interest.js'
import { deleteNews, insertOpenedStreams, isNews } from '../sweep/device-news.repository.js'
import type { Stream } from './stream.js'

/**
 * How long a hint may be under way, in milliseconds: within it two streams of one device count as opened at the same time. After it the
 * newer one wins, whatever the clocks say.
 */
const TOGETHER_MS = 500
const RETRY_MS = 1_000
const ID_TIME_DIGITS = 12
/** More than clocks of nodes are apart, and less than it takes for an old hint to be worth repeating to an attacker. */
const REPEATED_MS = 60_000

interface Open {
  stream: Stream
  id: string
  since: number
  stop: () => void
  /** Where it stands among the streams that all nodes know of; undefined until it was written. */
  order?: bigint
  /** The last that was opened elsewhere, as the sweep has it. */
  rival: bigint
  /** It is being closed for another; the closing handshake takes a while. */
  gaveWay: boolean
}

/**
 * The open streams of this node: one per device, over all nodes. A hint displaces the older one at once; each stream is also written down,
 * so that the sweep finds what a lost hint left open.
 */
@Injectable()
export class Streams {
  private readonly open = new Map<bigint, Open>()
  private unwritten: Open[] = []

  constructor(
    private readonly interest: Interest,
    private readonly hints: Hints,
    private readonly metrics: DeliveryMetrics,
    @Inject(POOL) private readonly pool: Pool,
    @Inject(LOG) private readonly log: Logger,
  ) {
    // A stream of the same device may have been opened elsewhere, and the hint that displaces one of the two was lost.
    hints.onRecovered(() => this.claimAll())
  }

  get size(): number {
    return this.open.size
  }

  all(): Stream[] {
    return [...this.open.values()].map(({ stream }) => stream)
  }

  /** Displaces the device's stream, wherever it is. */
  add(stream: Stream): void {
    const { deviceId } = stream.caller
    const displaced = this.open.get(deviceId)
    const id = `${Date.now().toString(16).padStart(ID_TIME_DIGITS, '0')}-${randomBytes(8).toString('hex')}`
    const stop = this.interest.watchDevice(deviceId, (news) => this.onNews(deviceId, id, news))
    const open: Open = { stream, id, since: performance.now(), stop, rival: 0n, gaveWay: false }
    this.open.set(deviceId, open)
    // Those of one tick in one statement: after a restart all clients come at the same time.
    if (this.unwritten.push(open) === 1) setImmediate(() => void this.write())
    displaced?.stop()
    displaced?.stream.close(CloseCode.displaced, 'another stream of this device')
    this.hints.publish([{ kind: 'displaced', deviceId, streamId: id }])
    this.metrics.now.streams = this.open.size
  }

  remove(stream: Stream): void {
    const open = this.open.get(stream.caller.deviceId)
    if (open?.stream !== stream) return
    open.stop()
    this.open.delete(stream.caller.deviceId)
    this.metrics.now.streams = this.open.size
  }

  private onNews(deviceId: bigint, id: string, news: DeviceNews): void {
    const open = this.open.get(deviceId)
    if (open?.id !== id) return
    if (news.kind === 'stream-open') return this.compare(open, deviceId, news.streamId)
    if (news.kind === 'opened') return this.compareOrder(open, news)
    if (news.kind !== 'displaced') return open.stream.onNews(news)
    if (news.streamId === id) return
    // No hint is under way for so long: somebody repeats it. Which stream is newer, the streams settle by their ids.
    if (openedAt(news.streamId) < openedAt(id) - REPEATED_MS) return this.compare(open, deviceId, news.streamId)
    // Opened on two nodes at once, both hear of the other: the greater id stays and says so again.
    const newerIsOurs = news.streamId < id && performance.now() - open.since < TOGETHER_MS
    if (newerIsOurs) this.hints.publish([{ kind: 'displaced', deviceId, streamId: id }])
    else this.giveWay(open)
  }

  private giveWay(open: Open): void {
    open.gaveWay = true
    open.stream.close(CloseCode.displaced, 'another stream of this device')
    // Or the stream that stays would find this one in the next sweep and give way to it.
    if (open.order !== undefined) this.whileAway(deleteNews(this.pool, open.order))
  }

  /** Both have been open for a while: all there is to go by is when each was opened, which is in the ids. */
  private compare(open: Open, deviceId: bigint, streamId: string): void {
    if (streamId > open.id) this.giveWay(open)
    else if (streamId < open.id) this.hints.publish([{ kind: 'stream-open', deviceId, streamId: open.id }])
  }

  private compareOrder(open: Open, news: { streamId: string; order: bigint }): void {
    if (news.streamId === open.id) return
    if (news.order > open.rival) open.rival = news.order
    if (open.order === undefined || open.rival <= open.order) return
    // Two that were opened at once settle it by hints, where the order may be another; by then the one that gave way has said so.
    const timer = setTimeout(() => this.whileAway(this.yieldTo(open, news.order)), TOGETHER_MS)
    timer.unref()
  }

  private async yieldTo(open: Open, rival: bigint): Promise<void> {
    if (this.isOpen(open) && (await isNews(this.pool, rival))) this.giveWay(open)
  }

  /** Tells the other nodes' sweeps of the streams that were opened. What cannot be written now is tried again with the next. */
  private async write(): Promise<void> {
    const opened = this.unwritten.filter((open) => this.isOpen(open))
    this.unwritten = []
    if (opened.length === 0) return
    try {
      const orders = await insertOpenedStreams(
        this.pool,
        opened.map(({ stream, id }) => ({ deviceId: stream.caller.deviceId, streamId: id })),
      )
      for (const open of opened) this.written(open, orders.get(open.id))
    } catch (error) {
      this.log.warn({ err: error, streams: opened.length }, 'opened streams could not be written yet')
      this.unwritten.push(...opened)
      setTimeout(() => void this.write(), RETRY_MS).unref()
    }
  }

  private written(open: Open, order: bigint | undefined): void {
    if (order === undefined) return
    open.order = order
    // It ended or gave way in the meantime.
    if (!this.isOpen(open)) return this.whileAway(deleteNews(this.pool, order))
    if (open.rival > order) this.compareOrder(open, { streamId: '', order: open.rival })
  }

  private isOpen(open: Open): boolean {
    return !open.gaveWay && this.open.get(open.stream.caller.deviceId) === open
  }

  /** Work that nothing waits for. If it fails, two streams of a device stay open until one of them ends. */
  private whileAway(work: Promise<void>): void {
    work.catch((error: unknown) => this.log.warn({ err: error }, 'which stream of a device is the newest could not be settled'))
  }

  private claimAll(): void {
    this.hints.publish([...this.open].map(([deviceId, { id }]) => ({ kind: 'stream-open', deviceId, streamId: id })))
  }
}

/** Stream ids begin with the time of their node's clock. */
function openedAt(streamId: string): number {
  return Number.parseInt(streamId.slice(0, ID_TIME_DIGITS), 16)
}
