import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../config/config.js'
import { LOG } from '../observability/log.js'
import { Metrics } from '../observability/metrics.js'
import { openQueue, type JobQueue, type ConnectedQueue } from './job-backend.js'
import { JobRunner } from './job-runner.js'
import { QuietLog } from './quiet-log.js'
import { oldestDueSeconds, WaitingAge } from './waiting-age.js'

const UPKEEP_MS = 15_000

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
  private readonly errors: QuietLog
  private readonly runner: JobRunner
  private readonly done
  private queue: ConnectedQueue | undefined
  private upkeep: NodeJS.Timeout | undefined

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOG) private readonly log: Logger,
    metrics: Metrics,
  ) {
    this.errors = new QuietLog(log)
    this.runner = new JobRunner(config, (name, data) => this.run(name, data), this.runnerEvents(metrics), log, this.errors)
    this.done = metrics.counter('jobs_done_total', 'Jobs that this process has done, by name', ['name'])
    const age = new WaitingAge(() => this.queue?.instance)
    metrics.gauge('jobs_oldest_waiting_seconds', 'For how long work has been due that nobody has begun: a dead worker shows here', () =>
      age.read(),
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
    await this.queue.instance.add(name, data, {
      ...(options.delayMs === undefined ? {} : { delay: options.delayMs }),
      ...(options.attempts === undefined ? {} : { attempts: options.attempts }),
      ...(options.dedupeId === undefined ? {} : { deduplication: { id: options.dedupeId, keepLastIfActive: true } }),
    })
  }

  async onApplicationBootstrap(): Promise<void> {
    this.queue = openQueue(this.config)
    const { instance, ready } = this.queue
    instance.on('error', (error) => this.errors.warn(error, 'the job queue reports an error'))
    await ready()
    if (this.config.ROLE === 'api') return
    await this.maintain(instance)
    this.upkeep = setInterval(() => void this.maintain(instance), UPKEEP_MS).unref()
    this.runner.start()
  }

  /** Takes no more jobs and waits for those that run. */
  async close(): Promise<void> {
    clearInterval(this.upkeep)
    await this.runner.stop()
    const { queue } = this
    this.queue = undefined
    await queue?.instance.close()
    queue?.disconnect()
  }

  /** Never rejects: while the queue cannot be read there is nothing to fix. */
  private async maintain(queue: JobQueue): Promise<void> {
    try {
      await this.ensureSchedules(queue)
      await this.runner.check((await oldestDueSeconds(queue, Date.now())) * 1000)
    } catch (error) {
      if (error instanceof Error) this.errors.warn(error, 'the job queue could not be looked after')
    }
  }

  /** A flushed Redis forgets the schedules, and would stay silent about it. */
  private async ensureSchedules(queue: JobQueue): Promise<void> {
    for (const [name, every] of this.schedules) {
      const known = await queue.getJobScheduler(name)
      if (known?.every !== every) await queue.upsertJobScheduler(name, { every }, { name, opts: { attempts: 1 } })
    }
  }

  private async run(name: string, data: unknown): Promise<void> {
    const handler = this.handlers.get(name)
    // Another release's job: left to fail and be retried, so that a node which knows it gets its turn.
    if (!handler) throw new Error(`No handler for the job ${name}`)
    await handler(data)
    this.done.inc({ name })
  }

  private runnerEvents(metrics: Metrics) {
    const failures = metrics.counter('jobs_failed_total', 'Attempts of jobs that failed, by name', ['name'])
    const restarts = metrics.counter('job_worker_restarts_total', 'Job workers that were silently dead and opened again')
    return {
      failed: (name: string, error: Error, attempt: number | undefined) => {
        failures.inc({ name: this.handlers.has(name) ? name : 'unknown' })
        this.log.error({ err: error, job: name, attempt }, 'job failed')
      },
      restarted: () => restarts.inc(),
    }
  }
}
