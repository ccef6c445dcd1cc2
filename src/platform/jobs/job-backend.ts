import { createPostgresBackend, Queue, Worker, type Job, type QueueOptions, type PgPool, type WorkerOptions } from 'bullmq'
import { Pool } from 'pg'
import { directDatabaseUrl, type Config } from '../config/config.js'
import { PostgresTarget } from '../postgres/client/postgres-target.js'
import { poolConfig } from '../postgres/sql.js'
import { connectRedis, type Patience, type RedisClient } from '../redis/connect-redis.js'
import { redisNamespace } from '../redis/redis-clients.js'
import { redisTarget, type RedisSettings } from '../redis/redis-target.js'
import { succeedsWithin } from '../timing.js'

const QUEUE = 'work'
/** BullMQ's tables get a schema of their own. */
const SCHEMA = 'bullmq'
/** Connections per BullMQ pool on PostgreSQL, not counting the one that LISTENs. */
const QUERY_CONNECTIONS = 3
/** How long after a worker's last sign of life its job counts as abandoned. BullMQ renews the lock while the job runs. */
const LOCK_MS = 60_000
/** For clients that read the queue or add to it. */
const COMMAND_TIMEOUT_MS = 5_000
/** How long startup waits for Redis; the process then starts without it. */
const START_TIMEOUT_MS = 2_000

type Settings = Pick<Config, 'DATABASE_URL' | 'DIRECT_DATABASE_URL' | 'PG_STATEMENT_DEADLINE' | 'DOMAIN' | 'JOB_CONCURRENCY'> &
  RedisSettings
type Processor = (job: Job<unknown, void>) => Promise<void>
export type JobQueue = Pick<
  Queue<unknown, void>,
  'add' | 'upsertJobScheduler' | 'getJobScheduler' | 'getJobs' | 'getJobCounts' | 'waitUntilReady' | 'close'
> & {
  on(event: 'error', listener: (error: Error) => void): unknown
}
export type JobWorker = Pick<Worker<unknown, void>, 'run' | 'close' | 'disconnect'> & {
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'ready', listener: () => void): unknown
  on(event: 'failed', listener: (job: Job<unknown, void> | undefined, error: Error) => void): unknown
}

/** A queue or worker, and how to close its connection: BullMQ does not close one that it was given. */
export interface Connected<T> {
  instance: T
  disconnect: () => void
}

export interface ConnectedQueue extends Connected<JobQueue> {
  /** Resolves once the queue is usable, or when Redis has not answered for two seconds. */
  ready: () => Promise<unknown>
}

/** Completed jobs are kept briefly, failed ones for a week so that an operator can look. */
const RETENTION = { removeOnComplete: { count: 20 }, removeOnFail: { count: 500, age: 7 * 86_400 } }

/**
 * By default BullMQ waits for the connection and queries the Redis version before the first command. If Redis is down at
 * startup that waits forever, or caches the failure for every later command.
 */
const SKIP_STARTUP_CHECKS = { skipWaitingForReady: true, skipVersionCheck: true } as const

/**
 * The queue, to add jobs and to read it: on Redis where REDIS_URL is set, else on PostgreSQL, where BullMQ creates its tables.
 * Connects in the background; a command to an unreachable or hung Redis fails, after five seconds at the latest.
 */
export function openQueue(config: Settings): ConnectedQueue {
  const defaultJobOptions = { ...RETENTION, attempts: 5, backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 } }
  const redis = connect(config, 'fail-fast')
  if (redis) {
    const startup = { ...SKIP_STARTUP_CHECKS, defaultJobOptions }
    const instance = new Queue<unknown, void>(QUEUE, { ...startup, connection: redis, prefix: prefixOf(config) })
    return { instance, ready: () => readyOrTimeout(redis), disconnect: () => redis.disconnect() }
  }
  const connection = { ...postgresOptions(config, QUERY_CONNECTIONS), schema: SCHEMA, migrate: true }
  const options: QueueOptions<typeof connection> = { connection, defaultJobOptions }
  const instance: JobQueue = new Queue(QUEUE, options, createPostgresBackend)
  return { instance, ready: () => instance.waitUntilReady(), disconnect: () => undefined }
}

/** Takes jobs of the same queue once `run()` is called, JOB_CONCURRENCY of them at once. Waits for Redis or PostgreSQL for as long as they are away. */
export function openWorker(config: Settings, processor: Processor): Connected<JobWorker> {
  const settings = { autorun: false, concurrency: config.JOB_CONCURRENCY, lockDuration: LOCK_MS }
  // A worker may wait for Redis indefinitely; a request that adds a job must not.
  const redis = connect(config, 'wait')
  if (redis) {
    const instance = new Worker<unknown, void>(QUEUE, processor, { ...settings, connection: redis, prefix: prefixOf(config) })
    return { instance, disconnect: () => redis.disconnect() }
  }
  // A pool of our own: the LISTEN client that BullMQ would create knows only one host and no statement deadline.
  const pool = new Pool({ ...postgresOptions(config, QUERY_CONNECTIONS + 1), options: `-c search_path="${SCHEMA}"` })
  pool.on('error', () => undefined)
  const options: WorkerOptions<PgPool> = { ...settings, connection: asSeenByBullmq(pool) }
  return {
    instance: new Worker(QUEUE, processor, options, createPostgresBackend),
    disconnect: () => void pool.end().catch(() => undefined),
  }
}

/** BullMQ's minimal pool type does not match the overloads of `pg`. */
function asSeenByBullmq(pool: Pool): PgPool {
  return pool as unknown as PgPool
}

function connect(config: Settings, patience: Patience): RedisClient | undefined {
  const target = redisTarget(config)
  if (!target) return undefined
  const overrides = patience === 'fail-fast' ? { commandTimeout: COMMAND_TIMEOUT_MS, socketTimeout: COMMAND_TIMEOUT_MS } : {}
  return connectRedis(target, patience, overrides)
}

async function readyOrTimeout(redis: RedisClient): Promise<void> {
  if (redis.status === 'ready') return
  const { promise, resolve } = Promise.withResolvers<void>()
  redis.once('ready', resolve)
  await succeedsWithin(START_TIMEOUT_MS, promise)
  redis.off('ready', resolve)
}

/** A hash tag, so that all keys of the queue share one cluster slot, as BullMQ's scripts require. */
function prefixOf(config: Settings): string {
  return `{${redisNamespace(config)}}`
}

/** LISTEN and advisory locks do not survive a transaction pooler, so BullMQ connects directly. */
function postgresOptions(config: Settings, max: number) {
  const target = new PostgresTarget(directDatabaseUrl(config), { statementDeadline: config.PG_STATEMENT_DEADLINE })
  return poolConfig(target, { max, idleTimeoutMillis: 10_000 })
}
