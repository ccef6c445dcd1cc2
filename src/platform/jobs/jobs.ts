import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../config/config.js'
import { LOG } from '../observability/log.js'
import { Metrics } from '../observability/metrics.js'
import { openQueue, openWorker, type JobQueue, type JobWorker } from './job-backend.js'

const SCHEDULE_UPKEEP_MS = 60_000

/** A job may run twice (a stalled worker) or late; a handler must not mind. */
export type JobHandler<T = unknown> = (data: T) => Promise<void>

export interface JobOptions {
  delayMs?: number
  /** One waiting job per id; if one is running already, exactly one more runs after it. */
  dedupeId?: string
  attempts?: number
}

/**
 * Work that need not happen within a request: on Redis where there is one, else on PostgreSQL.
 * Register with `every` and `process` in `onModuleInit`; names carry a version (`snapshot.take_v1`), because a node of
 * the release before may run them.
 */
@Injectable()
export class Jobs implements OnApplicationBootstrap {
  private readonly handlers = new Map<string, JobHandler>()
  private readonly schedules = new Map<string, number>()
  private readonly failures
  private queue: JobQueue | undefined
  private worker: JobWorker | undefined
  private upkeep: NodeJS.Timeout | undefined

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
    metrics: Metrics,
  ) {
    this.failures = metrics.counter('jobs_failed_total', 'Attempts of jobs that failed, by name', ['name'])
    metrics.gauge('jobs_oldest_waiting_seconds', 'Age of the oldest job that waits to run: a dead worker shows here', () =>
      this.oldestWaiting(),
    )
  }

  /** Runs `work` on one worker of all, every `ms` milliseconds. */
  every(name: string, ms: number, work: () => Promise<void>): void {
    this.process(name, work)
    this.schedules.set(name, ms)
  }

  process<T>(name: string, handler: JobHandler<T>): void {
    if (this.handlers.has(name)) throw new Error(`The job ${name} is registered twice`)
    this.handlers.set(name, handler as JobHandler)
  }

  /** @param data JSON: no bigint, no bytes, and nothing that must not be stored in Redis */
  async enqueue(name: string, data: unknown, options: JobOptions = {}): Promise<void> {
    if (!this.queue) throw new Error('Jobs can be added once the application has started')
    await this.queue.add(name, data, {
      ...(options.delayMs === undefined ? {} : { delay: options.delayMs }),
      ...(options.attempts === undefined ? {} : { attempts: options.attempts }),
      ...(options.dedupeId === undefined ? {} : { deduplication: { id: options.dedupeId, keepLastIfActive: true } }),
    })
  }

  async onApplicationBootstrap(): Promise<void> {
    this.queue = openQueue(this.config)
    this.queue.on('error', (error) => this.log.warn({ err: error }, 'job queue'))
    if (!this.config.REDIS_URL) await this.queue.waitUntilReady()
    if (this.config.ROLE === 'api') return
    await this.ensureSchedules()
    // A flushed Redis forgets the schedules, and would stay silent about it.
    this.upkeep = setInterval(() => void this.ensureSchedules(), SCHEDULE_UPKEEP_MS).unref()
    this.worker = openWorker(this.config, (job) => this.run(job.name, job.data))
    this.worker.on('error', (error) => this.log.warn({ err: error }, 'job worker'))
    this.worker.on('failed', (job, error) => {
      this.failures.inc({ name: job && this.handlers.has(job.name) ? job.name : 'unknown' })
      this.log.error({ err: error, job: job?.name, attempt: job?.attemptsMade }, 'job failed')
    })
    this.worker.run().catch((error: unknown) => this.log.error({ err: error }, 'job worker stopped'))
  }

  /** Takes no more jobs and waits for those that run. */
  async close(): Promise<void> {
    clearInterval(this.upkeep)
    await this.worker?.close()
    await this.queue?.close()
    this.worker = undefined
    this.queue = undefined
  }

  private async ensureSchedules(): Promise<void> {
    try {
      for (const [name, every] of this.schedules) {
        const known = await this.queue?.getJobScheduler(name)
        if (known?.every !== every) await this.queue?.upsertJobScheduler(name, { every }, { name, opts: { attempts: 1 } })
      }
    } catch (error) {
      this.log.warn({ err: error }, 'schedules could not be checked')
    }
  }

  private async run(name: string, data: unknown): Promise<void> {
    const handler = this.handlers.get(name)
    // Another release's job: left to fail and be retried, so that a node which knows it gets its turn.
    if (!handler) throw new Error(`No handler for the job ${name}`)
    await handler(data)
  }

  private async oldestWaiting(): Promise<number> {
    const [oldest] = await (this.queue?.getWaiting(0, 0) ?? Promise.resolve([])).catch(() => [])
    return oldest ? Math.max(0, (Date.now() - oldest.timestamp - (oldest.delay ?? 0)) / 1000) : 0
  }
}
