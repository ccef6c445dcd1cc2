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
/** BullMQ's own tables stand beside ours, not among them. */
const SCHEMA = 'bullmq'
/** Of each pool of BullMQ on PostgreSQL, for what is not LISTEN. */
const QUERY_CONNECTIONS = 3
/** Longer than any job should take: until then nobody else takes it over. */
const LOCK_MS = 60_000
/** Of a client that asks about the queue or adds to it. */
const COMMAND_TIMEOUT_MS = 5_000
/** How long anyone who opens the queue waits for Redis: without it a process starts all the same. */
const START_PATIENCE_MS = 2_000

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

/** What was opened, and how to let go of its connection, which BullMQ leaves to the one who brought it. */
export interface Opened<T> {
  opened: T
  disconnect: () => void
}

export interface OpenedQueue extends Opened<JobQueue> {
  /** Resolves when the queue can be asked, or Redis seems to be away. */
  ready: () => Promise<unknown>
}

/** Finished jobs are gone soon; failed ones stay for a look, but not without end. */
const KEPT = { removeOnComplete: { count: 20 }, removeOnFail: { count: 500, age: 7 * 86_400 } }

/**
 * BullMQ waits for the first connection, and asks Redis for its version, before any command of a queue: forever where
 * Redis is away at the start, and what that question fails with stays the answer to every later one.
 */
const UNCONDITIONAL = { skipWaitingForReady: true, skipVersionCheck: true } as const

/**
 * The queue, to add jobs and to ask about them: on Redis where REDIS_URL is set, else in tables of BullMQ on PostgreSQL, which it makes.
 * Connects in the background; a command to a Redis that is away or silent fails, after five seconds at the latest.
 */
export function openQueue(config: Settings): OpenedQueue {
  const defaultJobOptions = { ...KEPT, attempts: 5, backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 } }
  const redis = connect(config, 'impatient')
  if (redis) {
    const opened = new Queue<unknown, void>(QUEUE, { ...UNCONDITIONAL, connection: redis, prefix: prefixOf(config), defaultJobOptions })
    return { opened, ready: () => readyOrLate(redis), disconnect: () => redis.disconnect() }
  }
  const connection = { ...postgresOptions(config, QUERY_CONNECTIONS), schema: SCHEMA, migrate: true }
  const options: QueueOptions<typeof connection> = { connection, defaultJobOptions }
  const opened: JobQueue = new Queue(QUEUE, options, createPostgresBackend)
  return { opened, ready: () => opened.waitUntilReady(), disconnect: () => undefined }
}

/** Takes jobs of the same queue once `run()` is called, JOB_CONCURRENCY of them at once. Waits for Redis or PostgreSQL for as long as they are away. */
export function openWorker(config: Settings, process: Processor): Opened<JobWorker> {
  const settings = { autorun: false, concurrency: config.JOB_CONCURRENCY, lockDuration: LOCK_MS }
  // A worker waits for Redis to come back, however long; anyone who adds a job must not.
  const redis = connect(config, 'patient')
  if (redis) {
    const opened = new Worker<unknown, void>(QUEUE, process, { ...settings, connection: redis, prefix: prefixOf(config) })
    return { opened, disconnect: () => redis.disconnect() }
  }
  // The server's own pool, as BullMQ would make its LISTEN client by itself, for one host and without a deadline.
  const pool = new Pool({ ...postgresOptions(config, QUERY_CONNECTIONS + 1), options: `-c search_path="${SCHEMA}"` })
  pool.on('error', () => undefined)
  const options: WorkerOptions<PgPool> = { ...settings, connection: asSeenByBullmq(pool) }
  return { opened: new Worker(QUEUE, process, options, createPostgresBackend), disconnect: () => void pool.end().catch(() => undefined) }
}

/** BullMQ describes the little that it needs of a pool by itself, in words that the overloads of `pg` do not match. */
function asSeenByBullmq(pool: Pool): PgPool {
  return pool as unknown as PgPool
}

function connect(config: Settings, patience: Patience): RedisClient | undefined {
  const target = redisTarget(config)
  if (!target) return undefined
  const overrides = patience === 'impatient' ? { commandTimeout: COMMAND_TIMEOUT_MS, socketTimeout: COMMAND_TIMEOUT_MS } : {}
  return connectRedis(target, patience, overrides)
}

async function readyOrLate(redis: RedisClient): Promise<void> {
  if (redis.status === 'ready') return
  const { promise, resolve } = Promise.withResolvers<void>()
  redis.once('ready', resolve)
  await succeedsWithin(START_PATIENCE_MS, promise)
  redis.off('ready', resolve)
}

/** In braces, so that a cluster keeps all keys of the queue on one node: its scripts touch several. */
function prefixOf(config: Settings): string {
  return `{${redisNamespace(config)}}`
}

/** LISTEN and advisory locks do not survive a transaction pooler, hence the direct address. */
function postgresOptions(config: Settings, max: number) {
  const target = new PostgresTarget(directDatabaseUrl(config), { statementDeadline: config.PG_STATEMENT_DEADLINE })
  return poolConfig(target, { max, idleTimeoutMillis: 10_000 })
}
