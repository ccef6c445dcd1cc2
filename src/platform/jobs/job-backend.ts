import { createPostgresBackend, Queue, Worker, type Job, type QueueOptions, type WorkerOptions } from 'bullmq'
import { directDatabaseUrl, type Config } from '../config/config.js'

const QUEUE = 'work'
/** BullMQ's own tables stand beside ours, not among them. */
const SCHEMA = 'bullmq'

type Settings = Pick<Config, 'REDIS_URL' | 'DATABASE_URL' | 'DIRECT_DATABASE_URL' | 'JOB_CONCURRENCY'>
type Processor = (job: Job<unknown, void>) => Promise<void>
export type JobQueue = Pick<
  Queue<unknown, void>,
  'add' | 'upsertJobScheduler' | 'getJobScheduler' | 'getWaiting' | 'getJobCounts' | 'waitUntilReady' | 'close'
> & {
  on(event: 'error', listener: (error: Error) => void): unknown
}
export type JobWorker = Pick<Worker<unknown, void>, 'run' | 'close'> & {
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'failed', listener: (job: Job<unknown, void> | undefined, error: Error) => void): unknown
}

/** Finished jobs are gone soon; failed ones stay for a look, but not without end. */
const KEPT = { removeOnComplete: { count: 20 }, removeOnFail: { count: 500, age: 7 * 86_400 } }

export function openQueue(config: Settings): JobQueue {
  const defaultJobOptions = { ...KEPT, attempts: 5, backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 } }
  if (config.REDIS_URL) {
    return new Queue<unknown, void>(QUEUE, {
      connection: { ...redisOptions(config.REDIS_URL), enableOfflineQueue: false },
      defaultJobOptions,
    })
  }
  const options: QueueOptions<ReturnType<typeof postgresOptions>> = { connection: postgresOptions(config, true), defaultJobOptions }
  return new Queue(QUEUE, options, createPostgresBackend)
}

export function openWorker(config: Settings, process: Processor): JobWorker {
  const settings = { autorun: false, concurrency: config.JOB_CONCURRENCY, lockDuration: 60_000 }
  if (config.REDIS_URL) {
    // A worker waits for Redis to come back, however long; whoever adds a job must not.
    return new Worker<unknown, void>(QUEUE, process, {
      ...settings,
      connection: { ...redisOptions(config.REDIS_URL), maxRetriesPerRequest: null },
    })
  }
  const options: WorkerOptions<ReturnType<typeof postgresOptions>> = { ...settings, connection: postgresOptions(config, false) }
  return new Worker(QUEUE, process, options, createPostgresBackend)
}

/** LISTEN and advisory locks do not survive a transaction pooler, hence the direct address. */
function postgresOptions(config: Settings, migrate: boolean) {
  return { connectionString: directDatabaseUrl(config), schema: SCHEMA, migrate, max: 3, idleTimeoutMillis: 10_000 }
}

function redisOptions(url: string) {
  const { hostname, port, username, password, pathname, protocol } = new URL(url)
  return {
    host: hostname,
    port: Number(port || 6379),
    db: Number(pathname.slice(1) || 0),
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  }
}
