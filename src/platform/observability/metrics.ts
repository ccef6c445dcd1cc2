import { Injectable, Inject } from '@nestjs/common'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Pool } from 'pg'
import { VERSION } from '../version.js'
import { POOL } from '../postgres/sql.js'
import { within } from '../timing.js'

/** Who scrapes waits for ten seconds at most, usually. */
const READ_MS = 1_000

/**
 * Messages that the strict reader accepts and ts-mls reads differently (docs/adr/0004-decoders.md). Of the process, not of one server: it
 * is counted by functions that belong to none. More than none means a fault in one of the two readers.
 */
export const framingDisagreements = new Counter({
  name: 'framing_disagreements_total',
  help: 'MLSMessages refused because two readers of their framing disagree, by wire format and first differing field',
  labelNames: ['wire_format', 'field'],
  registers: [],
})

/**
 * The metrics of one server, in its own registry (several servers share a process in tests).
 * Labels have few values by design: a route template, a status, a name from our own code. Never an id.
 */
@Injectable()
export class Metrics {
  readonly registry = new Registry()
  readonly httpDuration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from request to response, by route template',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30],
    registers: [this.registry],
  })
  readonly events = this.counter('business_events_total', 'What happened, by name of the event', ['event'])
  readonly limitsRefused = this.counter('limits_refused_total', 'What a limit of docs/limits.md refused, by name of the limit', ['limit'])
  readonly hintsDropped = this.counter('hints_dropped_total', 'Hints that could not be sent or were not ours', ['reason'])
  readonly commitLockMisses = this.counter('commit_lock_misses_total', 'Commits that went on without the courtesy lock', ['reason'])

  private readonly unread = this.counter('metrics_unread_total', 'Gauges that were left out of an answer, as they could not be read', [
    'metric',
  ])

  constructor() {
    collectDefaultMetrics({ register: this.registry })
    this.registry.registerMetric(framingDisagreements)
    const build = new Gauge({ name: 'build_info', help: 'The release that runs here', labelNames: ['version'], registers: [this.registry] })
    build.set({ version: VERSION }, 1)
  }

  /** A counter of a module; names end in `_total`. */
  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] })
  }

  /** A histogram of a module, in seconds or bytes as its name says. */
  histogram(name: string, help: string, buckets: number[], labelNames: readonly string[] = []): Histogram {
    return new Histogram({ name, help, buckets, labelNames: [...labelNames], registers: [this.registry] })
  }

  /**
   * A gauge that is read when it is scraped; undefined: there is nothing to show. One that cannot be read in time is left out, and counted: all
   * others are needed most when PostgreSQL or Redis is away.
   */
  gauge(name: string, help: string, read: () => number | undefined | Promise<number | undefined>): Gauge {
    const { unread } = this
    return new Gauge({
      name,
      help,
      registers: [this.registry],
      async collect() {
        const value = await within(READ_MS, Promise.resolve().then(read)).catch(() => {
          unread.inc({ metric: name })
          return undefined
        })
        if (value === undefined) this.remove()
        else this.set(value)
      },
    })
  }
}

/** Waiting requests for connections are the first sign of a database that is too slow or a pool that is too small. */
@Injectable()
export class PoolMetrics {
  constructor(@Inject(POOL) pool: Pool, metrics: Metrics) {
    metrics.gauge('pg_pool_size', 'Connections to PostgreSQL that this process may open', () => pool.options.max)
    metrics.gauge('pg_pool_connections', 'Open connections to PostgreSQL', () => pool.totalCount)
    metrics.gauge('pg_pool_idle_connections', 'Of these, how many do nothing', () => pool.idleCount)
    metrics.gauge('pg_pool_waiting', 'Queries that wait for a connection', () => pool.waitingCount)
  }
}
