import { bytes } from './codec.js'
import { encodeFanout, type Fanout } from './room-bodies.js'

const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [20, 500]

/** Posts one body to `notify/{room}` of a provider. @returns the status and Retry-After in seconds, if there is one */
export type Notify = (domain: string, room: string, body: Uint8Array) => Promise<{ status: number; retryAfter?: number }>

/** What goes from a hub to followers: for each provider and room in order, again until it is accepted (§5.5). */
export class Lanes {
  readonly #turns = new Map<string, Promise<void>>()
  #closed = false
  /** Statuses that the followers answered, in order. */
  readonly answers: number[] = []

  constructor(private readonly notify: Notify) {}

  /** FanoutMessages in one request, one after another. */
  send(domain: string, room: string, fanouts: readonly Fanout[]): void {
    const lane = `${domain} ${room}`
    const body = bytes(...fanouts.map(encodeFanout))
    const before = this.#turns.get(lane) ?? Promise.resolve()
    this.#turns.set(
      lane,
      before.then(() => this.#deliver(domain, room, body)),
    )
  }

  close(): void {
    this.#closed = true
  }

  async #deliver(domain: string, room: string, body: Uint8Array): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !this.#closed; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      const answer = await this.notify(domain, room, body).catch(() => ({ status: 0, retryAfter: undefined }))
      this.answers.push(answer.status)
      if (answer.status === 201) return
      await pauseOf((answer.retryAfter ?? 0) * 1000 || pause)
    }
  }
}

/** It keeps no process from ending. */
export function pauseOf(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref())
}
