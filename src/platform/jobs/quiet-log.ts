import type { Logger } from 'pino'

const REPEAT_AFTER_MS = 60_000

/** For errors that come with every attempt to reconnect: the same one is logged at most once a minute. */
export class QuietLog {
  private readonly loggedAt = new Map<string, number>()

  constructor(
    private readonly log: Logger,
    private readonly now: () => number = () => performance.now(),
  ) {}

  warn(error: Error, about: string): void {
    const what = `${about} ${error.message}`
    const last = this.loggedAt.get(what)
    if (last !== undefined && this.now() - last < REPEAT_AFTER_MS) return
    // Messages with numbers in them must not pile up here.
    if (this.loggedAt.size > 100) this.loggedAt.clear()
    this.loggedAt.set(what, this.now())
    this.log.warn({ err: error }, about)
  }
}
