import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import type { Logger } from 'pino'
import { CONFIG, databaseUrl, type Config } from '../config/config.js'
import { PostgresTarget } from '../postgres/client/postgres-target.js'
import { DatabaseProbe, type DatabaseState } from '../postgres/database-probe.js'
import type { Sql } from '../postgres/sql.js'
import { LOG } from './log.js'
import { Metrics } from './metrics.js'
import { within } from '../timing.js'

/** `degraded`: reads and streams continue, writes are answered with 503. `unknown`: PostgreSQL could not be asked. */
export type Check = 'ok' | 'degraded' | 'failing' | 'unknown'
export type Checks = Record<string, Check>

export interface ReadinessReport {
  status: 'ok' | 'degraded' | 'unavailable'
  checks: Checks
}

/** The answer is sent by then, with what is known: orchestrators and proxies wait for two or three seconds. */
const ANSWER_MS = 1_500
/** One check serves all callers that ask while it runs. */
const FRESH_MS = 1_000

/** Whether to send requests here. Redis is not asked: without it everything works, only later. */
@Injectable()
export class Readiness implements OnApplicationShutdown {
  private draining = false
  private readonly probe: DatabaseProbe
  private readonly further = new Map<string, (sql: Sql) => Promise<Check>>()
  private looking: Promise<Checks> | undefined
  private last: { checks: Checks; at: number } | undefined
  private noted: Checks = {}
  private clockAhead: number | undefined

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DATABASE_URL' | 'CLOCK_SKEW_LIMIT'>,
    target: PostgresTarget,
    metrics: Metrics,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.probe = new DatabaseProbe(databaseUrl(config), target)
    metrics.gauge(
      'clock_skew_seconds',
      'By how much the clock of this process is ahead of that of PostgreSQL, when readiness was last asked',
      () => (this.clockAhead === undefined ? undefined : this.clockAhead / 1_000),
    )
  }

  get isDraining(): boolean {
    return this.draining
  }

  /** Makes the node unready, as it is about to shut down. */
  drain(): void {
    this.draining = true
  }

  /** What else must hold, asked in PostgreSQL. A check that throws is failing. */
  require(name: string, check: (sql: Sql) => Promise<Check>): void {
    this.further.set(name, check)
  }

  /** Answers within 1.5 s, whatever PostgreSQL does. */
  async report(): Promise<ReadinessReport> {
    const checks: Checks = { serving: this.draining ? 'failing' : 'ok', ...(await this.current()) }
    this.note(checks)
    const found = Object.values(checks)
    const ready = found.every((check) => check === 'ok' || check === 'degraded')
    return { status: ready ? (found.includes('degraded') ? 'degraded' : 'ok') : 'unavailable', checks }
  }

  onApplicationShutdown(): void {
    this.probe.close()
  }

  private async current(): Promise<Checks> {
    if (this.last && performance.now() - this.last.at < FRESH_MS) return this.last.checks
    // One at a time: looks at a silent PostgreSQL must not pile up.
    this.looking ??= this.look().finally(() => (this.looking = undefined))
    return within(ANSWER_MS, this.looking).catch(() => this.withoutDatabase())
  }

  private async look(): Promise<Checks> {
    const checks = await this.probe
      .look((sql) => this.ask(sql))
      .then(
        ({ state, more }) => ({ ...this.checksOf(state), ...more }),
        () => this.withoutDatabase(),
      )
    this.last = { checks, at: performance.now() }
    return checks
  }

  private checksOf({ migrated, readOnly, full, clockAhead }: DatabaseState): Checks {
    this.clockAhead = clockAhead
    return {
      database: 'ok',
      migrations: migrated ? 'ok' : 'failing',
      writes: readOnly ? 'failing' : full ? 'degraded' : 'ok',
      clock: Math.abs(clockAhead) > this.config.CLOCK_SKEW_LIMIT ? 'failing' : 'ok',
    }
  }

  private withoutDatabase(): Checks {
    const further = Object.fromEntries([...this.further.keys()].map((name) => [name, 'unknown' as const]))
    return { database: 'failing', migrations: 'unknown', writes: 'unknown', clock: 'unknown', ...further }
  }

  private async ask(sql: Sql): Promise<Checks> {
    const checks: Checks = {}
    for (const [name, check] of this.further) checks[name] = await check(sql).catch(() => 'failing' as const)
    return checks
  }

  /** One line for each change. A clock that is off is an error: everything here judges the age of tokens and keys by it. */
  private note(checks: Checks): void {
    for (const [check, now] of Object.entries(checks)) {
      if (check === 'serving' || now === 'unknown' || now === (this.noted[check] ?? 'ok')) continue
      this.noted[check] = now
      if (now === 'ok') this.log.info({ check }, 'ready again')
      else if (check === 'clock') this.log.error({ check, ahead_seconds: Math.round((this.clockAhead ?? 0) / 1_000) }, CLOCK_IS_OFF)
      else this.log.warn({ check, found: now }, 'not as it should be, so readiness says')
    }
  }
}

const CLOCK_IS_OFF = 'the clocks of this machine and of PostgreSQL are too far apart: run NTP on both'
