import { randomBytes } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { Hints } from '../../platform/hints/hints.js'
import { CloseCode } from '../../protocol/frames.js'
import { DeliveryMetrics } from '../delivery.metrics.js'
import { Interest, type DeviceNews } from '../interest/interest.js'
import type { Stream } from './stream.js'

/** As long as a hint may be under way, two streams of one device count as opened at once; after that the newer one wins, whatever the clocks say. */
const TOGETHER_MS = 500
const ID_TIME_DIGITS = 12
/** More than clocks of nodes are apart, and less than it takes for an old hint to be worth repeating to an attacker. */
const REPEATED_MS = 60_000

interface Open {
  stream: Stream
  id: string
  since: number
  stop: () => void
}

/** The open streams of this node: one per device, over all nodes. */
@Injectable()
export class Streams {
  private readonly open = new Map<bigint, Open>()

  constructor(
    private readonly interest: Interest,
    private readonly hints: Hints,
    private readonly metrics: DeliveryMetrics,
  ) {
    // A stream that was opened elsewhere meanwhile displaced ours, or ours displaced it, and nobody heard.
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
    const stop = this.interest.watchDevice(deviceId, (news) => this.hear(deviceId, id, news))
    this.open.set(deviceId, { stream, id, since: performance.now(), stop })
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

  private hear(deviceId: bigint, id: string, news: DeviceNews): void {
    const open = this.open.get(deviceId)
    if (open?.id !== id) return
    if (news.kind === 'stream-open') return this.compare(open, deviceId, news.streamId)
    if (news.kind !== 'displaced') return open.stream.hear(news)
    if (news.streamId === id) return
    // No hint is under way for so long: somebody repeats it. What is true, the open streams know.
    if (openedAt(news.streamId) < openedAt(id) - REPEATED_MS) return this.compare(open, deviceId, news.streamId)
    // Opened on two nodes at once, both hear of the other: the greater id stays and says so again.
    const newerIsOurs = news.streamId < id && performance.now() - open.since < TOGETHER_MS
    if (newerIsOurs) this.hints.publish([{ kind: 'displaced', deviceId, streamId: id }])
    else open.stream.close(CloseCode.displaced, 'another stream of this device')
  }

  /** Both have been open for a while: all there is to go by is when each was opened, which is in the ids. */
  private compare(open: Open, deviceId: bigint, streamId: string): void {
    if (streamId > open.id) open.stream.close(CloseCode.displaced, 'another stream of this device')
    else if (streamId < open.id) this.hints.publish([{ kind: 'stream-open', deviceId, streamId: open.id }])
  }

  private claimAll(): void {
    this.hints.publish([...this.open].map(([deviceId, { id }]) => ({ kind: 'stream-open', deviceId, streamId: id })))
  }
}

/** Stream ids begin with the time of their node's clock. */
function openedAt(streamId: string): number {
  return Number.parseInt(streamId.slice(0, ID_TIME_DIGITS), 16)
}
