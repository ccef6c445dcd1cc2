/** Longer timers fire at once (2^31 - 1 ms). */
const MAX_TIMER_MS = 2 ** 31 - 1

export interface TokenEvents {
  /** The token runs out soon: time for the client to send another. */
  expiring: (expiresAt: Date) => void
  expired: () => void
}

/** Follows the life of the access token that a stream was opened or renewed with. */
export class TokenWatch {
  private timers: NodeJS.Timeout[] = []

  constructor(
    private readonly warningMs: number,
    private readonly events: TokenEvents,
  ) {}

  /** Sets when the token expires. */
  until(expiresAt: Date): void {
    this.stop()
    const left = expiresAt.getTime() - Date.now()
    this.after(left - this.warningMs, () => this.events.expiring(expiresAt))
    this.after(left, () => this.events.expired())
  }

  stop(): void {
    for (const timer of this.timers.splice(0)) clearTimeout(timer)
  }

  private after(ms: number, work: () => void): void {
    this.timers.push(setTimeout(work, Math.min(Math.max(ms, 0), MAX_TIMER_MS)).unref())
  }
}
