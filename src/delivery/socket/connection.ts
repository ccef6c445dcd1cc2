import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { encodeFrame, type ServerFrame } from '../../protocol/frames.js'
import type { NodeBudget } from './node-budget.js'

/** Bytes that are given to the socket ahead of time; the rest waits in this queue, where it is counted. */
const WRITE_AHEAD_BYTES = 64 * 1024
const MISSED_PINGS = 2

export interface ConnectionLimits {
  socketBytes: number
  heartbeatMs: number
}

/** The sending half of one stream: an ordered, bounded queue in front of a WebSocket, and its heartbeat. */
export class Connection {
  /** There is room again after there was none. */
  onRoom: () => void = () => undefined
  private readonly queue: Uint8Array[] = []
  private queuedBytes = 0
  private flushing = false
  private starved = false
  private missedPings = 0
  private readonly heartbeat: NodeJS.Timeout
  private readonly roomOnNode = () => this.announceRoom()

  constructor(
    private readonly socket: WebSocket,
    private readonly raw: Duplex,
    private readonly budget: NodeBudget,
    private readonly limits: ConnectionLimits,
  ) {
    this.heartbeat = setInterval(() => this.beat(), limits.heartbeatMs).unref()
    socket.on('pong', () => this.isAlive())
    socket.on('message', () => this.isAlive())
    socket.once('close', () => this.dispose())
  }

  /** Bytes that no socket buffer has taken yet, or whose sending is not known to be done. */
  get pendingBytes(): number {
    return this.queuedBytes
  }

  /** False: queue nothing that can be read again later. `onRoom` follows. */
  get hasRoom(): boolean {
    if (this.queuedBytes >= this.limits.socketBytes) this.starved = true
    else if (!this.budget.full) return true
    else {
      this.starved = true
      this.budget.whenRoom(this.roomOnNode)
    }
    return false
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN
  }

  send(frame: ServerFrame): void {
    this.sendEncoded(encodeFrame(frame))
  }

  /** The bytes may be shared with other connections. They are sent after everything before them. */
  sendEncoded(frame: Uint8Array): void {
    if (!this.isOpen) return
    this.queue.push(frame)
    this.queuedBytes += frame.byteLength
    this.budget.hold(frame)
    if (this.flushing) return
    this.flushing = true
    // What is queued in this turn of the event loop leaves in one write: eight frames together cost what one does.
    setImmediate(() => this.flush())
  }

  /** What is still queued is dropped. */
  close(code: number, reason: string): void {
    this.dropQueue()
    this.socket.close(code, reason)
  }

  terminate(): void {
    this.socket.terminate()
  }

  private flush(): void {
    this.flushing = false
    this.raw.cork()
    while (this.queue.length > 0 && this.isOpen && this.socket.bufferedAmount < WRITE_AHEAD_BYTES) {
      const frame = this.queue.shift()
      if (frame) this.socket.send(frame, { binary: true }, () => this.sent(frame))
    }
    this.raw.uncork()
  }

  private sent(frame: Uint8Array): void {
    this.released(frame)
    this.missedPings = 0 // a client that reads slowly is alive
    if (this.queue.length > 0 && !this.flushing) this.flush()
    if (this.starved && this.queuedBytes < this.limits.socketBytes / 2) this.announceRoom()
  }

  private announceRoom(): void {
    if (!this.starved || !this.isOpen) return
    this.starved = false
    this.onRoom()
  }

  private released(frame: Uint8Array): void {
    this.queuedBytes -= frame.byteLength
    this.budget.release(frame)
  }

  private dropQueue(): void {
    for (const frame of this.queue.splice(0)) this.released(frame)
  }

  private beat(): void {
    if (this.missedPings >= MISSED_PINGS) return this.socket.terminate()
    this.missedPings += 1
    if (this.isOpen) this.socket.ping()
  }

  private isAlive(): void {
    this.missedPings = 0
  }

  private dispose(): void {
    clearInterval(this.heartbeat)
    this.budget.forget(this.roomOnNode)
    this.dropQueue()
  }
}
