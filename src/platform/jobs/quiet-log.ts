import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'

const REPEAT_AFTER_MS = 60_000

/** For errors that come with every attempt to reconnect: the same one is logged at most once a minute. */
export class QuietLog {
  /** Bounded, as messages with numbers in them are all different. */
  private readonly loggedAt = new LRUCache<string, number>({ max: 100 })

  constructor(
    private readonly log: Logger,
    private readonly now: () => number = () => performance.now(),
  ) {}

  warn(error: Error, about: string): void {
    const what = `${about} ${error.message}`
    const last = this.loggedAt.get(what)
    if (last !== undefined && this.now() - last < REPEAT_AFTER_MS) return
    this.loggedAt.set(what, this.now())
    this.log.warn({ err: error }, about)
  }
}
