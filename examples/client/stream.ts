import { decode, encode } from 'cborg'
import WebSocket from 'ws'
import type { Entry } from './entries.js'
import { NoAnswer, ServerProblem, type ProblemDocument } from './http.js'
import type { Accepted } from './posting.js'

export interface InboxItem {
  id: number
  kind:
    | 'welcome'
    | 'key-packages.low'
    | 'group.deleted'
    | 'group.leaving'
    | 'group.frozen'
    | 'group.thawed'
    | 'resync'
    | 'device.added'
    | 'device.revoked'
    | 'identity.changed'
    | 'device-list.changed'
    | 'device-list.pending'
    | 'device-list.dropped'
  group_id?: Uint8Array
  incarnation?: number
  epoch?: number
  seq?: number
  welcome?: Uint8Array
  clients?: string[]
  client?: string
  user?: string
  effective_at?: number
  /** Of an entry of the device list. */
  number?: number
  reason?: 'reinit' | 'reset'
  successor?: Uint8Array
}
export interface Position {
  group_id: Uint8Array
  incarnation: number
  seq: number
}

type Frame =
  | { t: 'hello'; heartbeat: number; max_unacked: number }
  | ({ t: 'inbox' } & InboxItem)
  | { t: 'entries'; entries: Entry[] }
  | { t: 'live' }
  | { t: 'resync'; group_id: Uint8Array; incarnation: number }
  | { t: 'removed'; group_id: Uint8Array; seq: number }
  | ({ t: 'posted'; id: number } & Accepted)
  | { t: 'refused'; id: number; retry_after?: number; problem: ProblemDocument & { status: number } }
  | { t: 'pong'; n: number }
  | { t: 'token-expiring'; expires_at: number }

/** What a stream needs from its owner. Each handler ends when the event is processed *and kept*: only then it is acknowledged. */
export interface StreamOwner {
  positions(): Position[]
  onEntries(entries: Entry[]): Promise<void>
  onInbox(item: InboxItem): Promise<void>
  onResync(groupId: Uint8Array, incarnation: number): Promise<void>
  onLive(): void
  /** The connection ended; the stream comes back by itself unless the device was displaced or revoked. */
  onClose(code: number): void
  /** Whether there is a new access token. */
  renewToken(): Promise<boolean>
  /** What says who asks, for a request to this URL. */
  credentials(method: string, url: string): Record<string, string>
}

const CLOSE = { tokenExpired: 4401, revoked: 4403, displaced: 4409 } as const

/** `GET /v1/stream`: inbox first, then the logs past our positions, then live. Reconnects until closed for good. */
export class Stream {
  #socket: WebSocket | undefined
  #closed = false
  #failures = 0
  #work: Promise<unknown> = Promise.resolve()
  #posts = new Map<number, { resolve(accepted: Accepted): void; reject(error: Error): void }>()
  #lastPost = 0
  /** Close code of the last connection that ended, for the one who wants to know why. */
  lastClose: number | undefined

  constructor(
    private readonly baseUrl: string,
    private readonly owner: StreamOwner,
  ) {}

  get #url(): string {
    return `${this.baseUrl}/v1/stream`
  }

  get open(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  connect(): void {
    if (this.#closed) return
    const socket = new WebSocket(this.#url.replace(/^http/, 'ws'), 'microchat.v1', {
      headers: this.owner.credentials('GET', this.#url),
      perMessageDeflate: false,
    })
    this.#socket = socket
    socket.on('open', () => {
      this.#failures = 0
      this.#send({ t: 'resume', positions: this.owner.positions() })
    })
    socket.on('message', (data: Buffer) => {
      const frame = decode(data) as Frame
      // Not in the queue: a group that waits for an answer may hold up what is in it.
      if (frame.t === 'posted' || frame.t === 'refused') this.#answered(frame)
      else this.#queue(socket, frame)
    })
    // An 'error' is always followed by 'close', which decides what to do.
    socket.on('error', () => {})
    socket.on('unexpected-response', (_request, response) => {
      this.lastClose = response.statusCode === 401 ? CLOSE.tokenExpired : 1006
      socket.terminate()
    })
    socket.on('close', (code) => void this.#ended(socket, code))
  }

  /**
   * An application message for the log of a group; several may be under way.
   * @throws ServerProblem if it is refused; NoAnswer if the connection ended before an answer came: the same bytes can be posted once more,
   *   here or by HTTP, and get the answer that the first got
   */
  post(groupId: Uint8Array, message: Uint8Array, incarnation: number): Promise<Accepted> {
    return new Promise((resolve, reject) => {
      if (!this.open) return reject(new NoAnswer('The stream is not open'))
      const id = ++this.#lastPost
      this.#posts.set(id, { resolve, reject })
      this.#send({ t: 'post', id, group_id: groupId, message, incarnation })
    })
  }

  /** Ends the stream, and waits for what it had begun to process. */
  async close(): Promise<void> {
    this.#closed = true
    const socket = this.#socket
    this.#socket = undefined
    if (socket && socket.readyState !== WebSocket.CLOSED) {
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      if (socket.readyState === WebSocket.OPEN) socket.close(1000)
      else socket.terminate()
      await closed
    }
    await this.#work
  }

  /** Drops the connection as a lost network would. */
  cut(): void {
    this.#closed = true
    this.#socket?.terminate()
  }

  /** Frames are processed one after the other, in the order in which they came. */
  #queue(socket: WebSocket, frame: Frame): void {
    this.#work = this.#work.then(() => (this.#socket === socket ? this.#handle(frame) : undefined)).catch(() => socket.terminate())
  }

  async #handle(frame: Frame): Promise<void> {
    if (frame.t === 'entries') {
      await this.owner.onEntries(frame.entries)
      const last = frame.entries.at(-1)
      if (last) this.#send({ t: 'ack', acks: [{ group_id: last.group_id, incarnation: last.incarnation, seq: last.seq }] })
    } else if (frame.t === 'inbox') {
      await this.owner.onInbox(frame)
      this.#send({ t: 'inbox-ack', ids: [frame.id] })
    } else if (frame.t === 'resync') await this.owner.onResync(frame.group_id, frame.incarnation)
    else if (frame.t === 'live') this.owner.onLive()
    else if (frame.t === 'token-expiring') {
      if (await this.owner.renewToken()) this.#sendToken()
    }
  }

  #answered(frame: Extract<Frame, { t: 'posted' | 'refused' }>): void {
    const waiting = this.#posts.get(frame.id)
    this.#posts.delete(frame.id)
    if (frame.t === 'posted') waiting?.resolve(frame)
    else waiting?.reject(new ServerProblem(frame.problem.status, frame.problem))
  }

  async #ended(socket: WebSocket, code: number): Promise<void> {
    for (const waiting of this.#posts.values()) waiting.reject(new NoAnswer('The stream ended'))
    this.#posts.clear()
    if (code !== 1006) this.lastClose = code
    this.owner.onClose(code)
    if (this.#closed || this.#socket !== socket) return
    this.#socket = undefined
    if (this.lastClose === CLOSE.displaced || this.lastClose === CLOSE.revoked) return
    if (this.lastClose === CLOSE.tokenExpired) await this.owner.renewToken().catch(() => undefined)
    this.lastClose = undefined
    const delay = Math.min(2000, 50 * 2 ** this.#failures++) * (0.5 + Math.random() / 2)
    setTimeout(() => this.connect(), delay).unref()
  }

  /** The proof is one for the request that opens a stream. */
  #sendToken(): void {
    const { authorization = '', dpop } = this.owner.credentials('GET', this.#url)
    const [scheme, access_token] = authorization.split(' ')
    this.#send({ t: 'token', access_token, ...(scheme === 'DPoP' && { dpop }) })
  }

  #send(frame: object): void {
    if (this.open) this.#socket?.send(encode(frame))
  }
}
