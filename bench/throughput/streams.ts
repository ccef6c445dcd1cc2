import { decode, encode } from 'cborg'
import WebSocket from 'ws'

/** What a stream of the generator counts. */
export interface StreamCounts {
  entries: number
  /** Entries that came out of order, twice, or after a hole. */
  wrong: number
}

interface EntriesFrame {
  readonly t: 'entries'
  readonly entries: readonly { group_id: Uint8Array; incarnation: number; seq: number; accepted_at: number }[]
}
type Frame = EntriesFrame | { readonly t: 'posted' | 'refused' | 'live' | 'hello'; readonly id?: number }

/** One device's stream: posts by prepared frames, reads what comes, and acknowledges it once a second. */
export class BenchStream {
  private readonly socket: WebSocket
  private readonly waiting = new Map<number, (accepted: boolean) => void>()
  private readonly seqs = new Map<string, number>()
  private readonly unacknowledged = new Map<string, EntriesFrame['entries'][number]>()
  private readonly timer: NodeJS.Timeout
  private last = 0
  readonly counts: StreamCounts = { entries: 0, wrong: 0 }
  onEntries: ((group: string) => void) | undefined

  private constructor(
    url: string,
    headers: Record<string, string>,
    private readonly live: () => void,
  ) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), 'microchat.v1', { headers, perMessageDeflate: false, skipUTF8Validation: true })
    this.socket.on('open', () => this.socket.send(encode({ t: 'resume', positions: [] })))
    this.socket.on('message', (data: Buffer) => this.read(decode(data) as Frame))
    this.socket.on('close', () => this.waiting.forEach((answer) => answer(false)))
    this.timer = setInterval(() => this.acknowledge(), 1_000)
  }

  /** @param headers what says who asks @throws Error if it does not become live */
  static open(url: string, headers: Record<string, string>): Promise<BenchStream> {
    return new Promise((resolve, reject) => {
      const made: BenchStream = new BenchStream(url, headers, () => resolve(made))
      made.socket.once('error', reject).once('close', (code) => reject(new Error(`The stream was closed with ${code}`)))
    })
  }

  /** @param message an MLSMessage that was not posted before @returns whether it was accepted */
  post(groupId: Uint8Array, message: Uint8Array): Promise<boolean> {
    const id = ++this.last
    this.socket.send(encode({ t: 'post', id, group_id: groupId, message, incarnation: 1 }))
    return new Promise((resolve) => this.waiting.set(id, resolve))
  }

  close(): void {
    clearInterval(this.timer)
    this.acknowledge()
    this.socket.close(1000)
  }

  private read(frame: Frame): void {
    if (frame.t === 'entries') return this.take(frame)
    if (frame.t === 'live') return this.live()
    if (frame.id === undefined) return
    this.waiting.get(frame.id)?.(frame.t === 'posted')
    this.waiting.delete(frame.id)
  }

  private take({ entries }: EntriesFrame): void {
    for (const entry of entries) {
      const group = Buffer.from(entry.group_id).toString('latin1')
      if (entry.seq !== (this.seqs.get(group) ?? entry.seq - 1) + 1) this.counts.wrong += 1
      this.seqs.set(group, entry.seq)
      this.unacknowledged.set(group, entry)
      this.counts.entries += 1
      this.onEntries?.(group)
    }
  }

  private acknowledge(): void {
    if (this.unacknowledged.size === 0 || this.socket.readyState !== WebSocket.OPEN) return
    const acks = [...this.unacknowledged.values()].map(({ group_id, incarnation, seq }) => ({ group_id, incarnation, seq }))
    for (let from = 0; from < acks.length; from += 100) this.socket.send(encode({ t: 'ack', acks: acks.slice(from, from + 100) }))
    this.unacknowledged.clear()
  }
}
