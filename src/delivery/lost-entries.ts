import type { Logger } from 'pino'
import type { DeliveryMetrics } from './delivery-metrics.js'

/** After a failover all clients find it out at the same time: one line is enough. */
const REPEAT_AFTER_MS = 60_000

/**
 * Clients that have entries past the end of the log: a backup was restored or a replica took over, and nobody ran `recovered`. Each is
 * counted; the log says it once a minute. A client could also be lying, so one alone proves nothing.
 */
export class LostEntries {
  private saidAt = -Infinity

  constructor(
    private readonly metrics: Pick<DeliveryMetrics, 'entriesLost'>,
    private readonly log: Logger,
    private readonly now: () => number = () => performance.now(),
  ) {}

  note(): void {
    this.metrics.entriesLost.inc()
    if (this.now() - this.saidAt < REPEAT_AFTER_MS) return
    this.saidAt = this.now()
    this.log.warn('a client has entries that the log has not: after a restore or a failover, run "recovered" before clients continue')
  }
}
