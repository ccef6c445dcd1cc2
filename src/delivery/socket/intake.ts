import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { SLICE_BYTES } from '../../platform/admission/read-in-turns.js'
import { Bucket, type Rate } from '../../platform/limits/buckets.js'
import type { STREAM_LIMITS } from './stream-limits.js'

/** The head of a small WebSocket frame with its mask (RFC 6455 §5.2). */
const FRAME_HEAD_BYTES = 6
/** Bytes that wait to be read. A client within its rates does not have so much waiting for long. */
const FLOOD_BYTES = 32 * 1024

export interface IntakeLimits {
  frameRate: Rate
  byteRate: Rate
  /** A client that has been slowed down for so long, with more waiting all the time, is beyond its rates on purpose. */
  floodMs: number
}

type LimitName = (typeof STREAM_LIMITS)[number]['name']

/**
 * What a frame turned out to be. `progress`: it acknowledges as much as it names, so the server's own sending bounds how often it comes, or
 * it is a post, which has limits of its own.
 */
export type FrameWorth = 'progress' | 'charged'

/**
 * The receiving half of one stream. What the client sends is left in the socket until its turn comes, and longer while the client is
 * beyond its rates: then the kernel's buffers fill, and the client cannot send. Nothing is queued here.
 *
 * `ws` parses every chunk of its socket to the end, thousands of frames if they are small. Pausing it in between only stops the next
 * chunk, so the chunks themselves are kept small: with a listener for `readable` a socket does not flow, and each `read(n)` hands `n`
 * bytes to the listener of `data`, which is `ws`.
 */
export class Intake {
  onFrame: (data: RawData, isBinary: boolean) => FrameWorth = () => 'charged'
  /** The client sends far more than it may. */
  onFlood: (limit: LimitName) => void = () => undefined
  /** Whether what comes next can be dealt with. If not, nothing is read until `resume` is called. */
  hasRoom: () => boolean = () => true
  /** Nothing is read from the client for a while. */
  onPause: () => void = () => undefined
  private readonly frames: Bucket
  private readonly bytes: Bucket
  /** Its turn comes, or is now: `ws` may resume the socket in the middle of what it parses. */
  private asked = false
  /** Something came while there was no room for it. */
  private held = false
  private pause: NodeJS.Timeout | undefined
  private floodingSince: number | undefined
  /** The payload of the last ping that has no answer yet. */
  private unanswered: Buffer | undefined
  private answering = false
  private readonly ask = () => {
    if (this.asked || this.pause) return
    this.held = !this.hasRoom()
    if (this.held) return
    // Before the turn, which may come at once.
    this.asked = true
    this.enter(this.readSlice)
  }

  /** @param enter does the work when it is this stream's turn */
  constructor(
    private readonly socket: WebSocket,
    private readonly raw: Duplex,
    private readonly enter: (work: () => void) => void,
    private readonly limits: IntakeLimits,
  ) {
    this.frames = new Bucket(limits.frameRate)
    this.bytes = new Bucket(limits.byteRate)
  }

  /** Begins to read. */
  open(): void {
    this.socket.on('message', (data, isBinary) => {
      if (this.onFrame(data, isBinary) === 'charged') this.charge((data as Buffer).byteLength)
    })
    this.socket.on('ping', (payload) => this.answer(payload))
    this.socket.on('pong', (payload) => this.charge(payload.byteLength))
    this.socket.once('close', () => this.stop())
    this.raw.on('readable', this.ask)
  }

  /** There is room for what comes next. */
  resume(): void {
    // Also where nothing waits: the end of the connection may have come meanwhile.
    if (this.held && !this.raw.destroyed) this.ask()
  }

  /** Counts a frame after all, of which it was not known whether it has to be. */
  charge(bytes: number): void {
    this.frames.spend(1)
    this.bytes.spend(bytes + FRAME_HEAD_BYTES)
  }

  private readonly readSlice = (): void => {
    if (!this.raw.destroyed) this.raw.read(Math.min(SLICE_BYTES, this.raw.readableLength))
    this.asked = false
    if (this.raw.destroyed) return
    // This makes the end of the connection known, also one that came with the last bytes.
    if (this.raw.readableLength === 0) this.raw.read(0)
    // `ws` listens no more after the client's close frame, or after bytes that are not a frame: the rest is dropped.
    if (this.raw.listenerCount('data') === 0) return this.drain()
    const wait = this.wait()
    if (wait > 0) {
      this.pause = setTimeout(() => this.goOn(), wait).unref()
      this.onPause()
    } else if (this.raw.readableLength > 0) this.ask()
    else this.floodingSince = undefined
  }

  private wait(): number {
    return Math.max(this.frames.waitFor(), this.bytes.waitFor())
  }

  private goOn(): void {
    this.pause = undefined
    const now = performance.now()
    if (this.raw.readableLength < FLOOD_BYTES) this.floodingSince = undefined
    else this.floodingSince ??= now
    if (this.floodingSince !== undefined && now - this.floodingSince >= this.limits.floodMs) {
      this.floodingSince = undefined
      this.onFlood(this.slower())
    }
    this.ask()
  }

  /** The rate that the client is further beyond. */
  private slower(): LimitName {
    const [frames, bytes] = [this.frames.waitFor(this.limits.frameRate.burst), this.bytes.waitFor(this.limits.byteRate.burst)]
    return frames * this.limits.byteRate.burst > bytes * this.limits.frameRate.burst ? 'stream-frames' : 'stream-bytes'
  }

  /** While one answer is under way, only the last of the pings that come is remembered (RFC 6455 §5.5.3). */
  private answer(payload: Buffer): void {
    this.charge(payload.byteLength)
    this.unanswered = payload
    if (!this.answering) this.sendPong()
  }

  private sendPong(): void {
    const payload = this.unanswered
    this.unanswered = undefined
    if (payload === undefined || this.socket.readyState !== this.socket.OPEN) return
    this.answering = true
    this.socket.pong(payload, false, () => {
      this.answering = false
      this.sendPong()
    })
  }

  private drain(): void {
    this.stop()
    this.raw.resume()
  }

  private stop(): void {
    clearTimeout(this.pause)
    this.raw.off('readable', this.ask)
  }
}
