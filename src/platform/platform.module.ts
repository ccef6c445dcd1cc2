import { AsyncLocalStorage } from 'node:async_hooks'
import { Inject, Injectable, Module, type BeforeApplicationShutdown, type OnApplicationShutdown } from '@nestjs/common'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { Pressure } from './admission/pressure.js'
import { CONFIG, databaseUrl, type Config, loadConfig } from './config/config.js'
import { Hints } from './hints/hints.js'
import { Jobs } from './jobs/jobs.js'
import { FirstUses } from './limits/first-uses.js'
import { Limits } from './limits/limits.js'
import { Events } from './observability/events.js'
import { LOG, createLog } from './observability/log.js'
import { Metrics, PoolMetrics } from './observability/metrics.js'
import { Readiness } from './observability/readiness.js'
import { traceQueries } from './observability/tracing.js'
import { PostgresTarget, STATEMENT_DEADLINE_LIMIT } from './postgres/client/postgres-target.js'
import { poolSize, PRISMA_CONNECTIONS } from './postgres/connections/budget.js'
import { createPrisma, PRISMA, type Prisma } from './postgres/prisma.js'
import { queueByRow } from './postgres/row-queues.js'
import { createPool, POOL } from './postgres/sql.js'
import { CommitLock } from './redis/commit-lock.js'
import { RedisClients } from './redis/redis-clients.js'
import { RedisSubscription } from './redis/redis-subscription.js'
import { Secrets } from './secrets.js'
import { WorkerTime } from './workers/worker-time.js'

interface Launch {
  config: Config
  log: Logger
}

/**
 * Several servers live in one test process, each with settings and a log of its own, while modules are classes, not
 * instances. So the code that starts a server says what everything constructed inside `work` is meant to use.
 */
const launch = new AsyncLocalStorage<Launch>()

/** What is constructed inside `work`, also later in its asynchronous calls, gets this configuration and log. */
export function launching<T>(what: Launch, work: () => Promise<T>): Promise<T> {
  return launch.run(what, work)
}

const launchProviders = [
  { provide: CONFIG, useFactory: (): Config => launch.getStore()?.config ?? loadConfig(process.env) },
  { provide: LOG, useFactory: (config: Config): Logger => launch.getStore()?.log ?? createLog(config), inject: [CONFIG] },
]

const pressureProvider = { provide: Pressure, inject: [CONFIG], useFactory: (config: Config) => new Pressure(config.PRESSURE_DELAY) }
const targetProvider = {
  provide: PostgresTarget,
  inject: [CONFIG, Metrics],
  useFactory: (config: Config, { limitsRefused }: Metrics) => {
    const target = new PostgresTarget(databaseUrl(config), { statementDeadline: config.PG_STATEMENT_DEADLINE })
    return target.on('expired', () => limitsRefused.inc({ limit: STATEMENT_DEADLINE_LIMIT.name }))
  },
}
const poolProvider = {
  provide: POOL,
  inject: [CONFIG, PostgresTarget],
  useFactory: (config: Config, target: PostgresTarget) => {
    const pool = queueByRow(createPool(target, { max: poolSize(config), prepare: config.PG_PREPARE === 'on' }))
    return config.OTEL_EXPORTER_OTLP_ENDPOINT ? traceQueries(pool) : pool
  },
}
const prismaProvider = {
  provide: PRISMA,
  inject: [PostgresTarget],
  useFactory: (target: PostgresTarget) => createPrisma(target, { max: PRISMA_CONNECTIONS }),
}

/**
 * Ends things in the order in which others need them. Features end theirs in `beforeApplicationShutdown`
 * (streams, cursors); the connections go last, after the HTTP server.
 */
@Injectable()
class PlatformShutdown implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly jobs: Jobs,
    private readonly redis: RedisClients,
    @Inject(POOL) private readonly pool: Pool,
    @Inject(PRISMA) private readonly prisma: Prisma,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    await this.jobs.close()
  }

  async onApplicationShutdown(): Promise<void> {
    this.redis.close()
    await this.prisma.$disconnect()
    await this.pool.end()
  }
}

/** The plumbing, without a word of the domain. Feature modules import it; nothing is global. */
@Module({
  providers: [
    ...launchProviders,
    targetProvider,
    poolProvider,
    prismaProvider,
    pressureProvider,
    RedisClients,
    RedisSubscription,
    Secrets,
    Metrics,
    Events,
    Readiness,
    PoolMetrics,
    Hints,
    CommitLock,
    Jobs,
    Limits,
    FirstUses,
    WorkerTime,
    PlatformShutdown,
  ],
  exports: [
    CONFIG,
    LOG,
    POOL,
    PRISMA,
    Pressure,
    Secrets,
    Metrics,
    Events,
    Readiness,
    Hints,
    CommitLock,
    Jobs,
    Limits,
    FirstUses,
    WorkerTime,
  ],
})
export class PlatformModule {}
