import { once } from 'node:events'
import { WebSocket, type RawData } from 'ws'
import {
  decodeServerFrame,
  encodeFrame,
  STREAM_PROTOCOL,
  type ClientFrame,
  type EntryFrame,
  type ServerFrame,
} from '../../src/protocol/frames.js'
import { tokenOf, type TestGroup } from './delivery-node-fixture.js'

const DEADLINE_MS = 60_000

/** A bare client of the stream that remembers every frame and waits for conditions, never for time. */
export class StreamClient {
  readonly frames: ServerFrame[] = []
  closed: { code: number; reason: string } | undefined
  private readonly waiting = new Set<() => void>()

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => this.receive(data))
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.wake()
    })
    socket.on('error', () => undefined)
  }

  /** Connects and, unless told otherwise, sends an empty `resume`. */
  static async connect(
    wsUrl: string,
    deviceId: bigint,
    options: { token?: string; resume?: ClientFrame | 'none' } = {},
  ): Promise<StreamClient> {
    const socket = new WebSocket(`${wsUrl}/v1/stream`, [STREAM_PROTOCOL], {
      headers: { authorization: `Bearer ${options.token ?? tokenOf(deviceId)}` },
    })
    const client = new StreamClient(socket)
    await once(socket, 'open')
    if (options.resume !== 'none') client.send(options.resume ?? { t: 'resume', positions: [] })
    return client
  }

  send(frame: ClientFrame): void {
    this.socket.send(encodeFrame(frame))
  }

  ack(group: TestGroup, seq: bigint | number, incarnation = 1): void {
    this.send({ t: 'ack', acks: [{ group_id: group.groupId, incarnation, seq: Number(seq) }] })
  }

  /** Acknowledges each entry at once, like a client that keeps up. */
  acknowledgeEverything(): void {
    this.socket.on('message', (data) => {
      const decoded = decodeServerFrame(data as Buffer)
      if (decoded.kind === 'malformed' || decoded.frame.t !== 'entries') return
      const { group_id, incarnation, seq } = decoded.frame.entries.at(-1)!
      this.send({ t: 'ack', acks: [{ group_id, incarnation, seq }] })
    })
  }

  of<T extends ServerFrame['t']>(t: T): Extract<ServerFrame, { t: T }>[] {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { t: T }> => frame.t === t)
  }

  entries(group?: TestGroup): EntryFrame[] {
    return this.of('entries')
      .flatMap((frame) => frame.entries)
      .filter((entry) => !group || group.groupId.equals(entry.group_id))
  }

  seqs(group: TestGroup): number[] {
    return this.entries(group).map((entry) => entry.seq)
  }

  /** Waits for a condition on what has arrived. */
  async until(what: string, holds: () => boolean): Promise<void> {
    if (holds()) return
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error) => {
        clearTimeout(timer)
        this.waiting.delete(check)
        if (error) reject(error)
        else resolve()
      }
      const check = () => {
        if (holds()) done()
      }
      const seen = () =>
        `frames: ${this.frames
          .map((frame) => frame.t)
          .join(' ')
          .slice(-500)}; closed: ${this.closed?.code}`
      const timer = setTimeout(() => done(new Error(`Waited in vain for ${what}; ${seen()}`)), DEADLINE_MS)
      this.waiting.add(check)
    })
  }

  live(): Promise<void> {
    return this.until('live', () => this.of('live').length > 0)
  }

  untilSeq(group: TestGroup, seq: bigint | number): Promise<void> {
    return this.until(`seq ${seq}`, () => this.seqs(group).includes(Number(seq)))
  }

  async code(): Promise<number | undefined> {
    await this.until('the close', () => this.closed !== undefined)
    return this.closed?.code
  }

  async leave(): Promise<void> {
    if (this.closed) return
    this.socket.close()
    await this.code()
  }

  private receive(data: RawData): void {
    const decoded = decodeServerFrame(data as Buffer)
    if (decoded.kind === 'malformed') throw new Error(`The server sent a malformed frame: ${decoded.reason}`)
    this.frames.push(decoded.frame)
    this.wake()
  }

  private wake(): void {
    for (const check of [...this.waiting]) check()
  }
}
