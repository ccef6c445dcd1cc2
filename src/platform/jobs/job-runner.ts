import type { Job } from 'bullmq'
import type { Logger } from 'pino'
import type { Config } from '../config/config.js'
import { openWorker, type JobWorker, type Connected } from './job-backend.js'
import type { QuietLog } from './quiet-log.js'
import { succeedsWithin } from '../timing.js'

const FORCED_CLOSE_MS = 5_000
/** Time for a worker without jobs to close its connections. */
const CLOSE_MS = 2_000

/** The one who started the runner hears what becomes of jobs. */
export interface RunnerEvents {
  failed(name: string, error: Error, attempt: number | undefined): void
  restarted(): void
}

/** One BullMQ worker, replaced when it is dead and does not know it. */
export class JobRunner {
  private worker: Connected<JobWorker> | undefined
  private readonly running = new Set<Promise<void>>()
  private stopped = false
  private lastBegunAt = performance.now()
  /** The worker has been connected at least once. */
  private connected = false

  constructor(
    private readonly config: Config,
    private readonly perform: (name: string, data: unknown) => Promise<void>,
    private readonly events: RunnerEvents,
    private readonly log: Logger,
    private readonly errors: QuietLog,
  ) {}

  start(): void {
    this.lastBegunAt = performance.now()
    this.worker = openWorker(this.config, (job) => this.run(job))
    const { instance } = this.worker
    this.connected = false
    instance.on('ready', () => (this.connected = true))
    instance.on('error', (error) => this.errors.warn(error, 'the job worker reports an error'))
    instance.on('failed', (job, error) => this.events.failed(job?.name ?? 'unknown', error, job?.attemptsMade))
    instance.run().catch((error: unknown) => this.log.error({ err: error }, 'job worker stopped'))
  }

  /** @param dueForMs for how long work has been due that nobody began */
  async check(dueForMs: number): Promise<void> {
    const signs = { dueForMs, running: this.running.size, lastBegunAt: this.lastBegunAt, concurrency: this.config.JOB_CONCURRENCY }
    if (!isSilentlyDead(signs, performance.now())) return
    this.log.error({ due_for_seconds: Math.round(dueForMs / 1000) }, 'the job worker does not take work that is due; it is opened again')
    this.events.restarted()
    const dead = this.worker
    this.worker = undefined
    this.lastBegunAt = performance.now() // or the next look would find it dead again
    // First, as the budget of connections has no room for two.
    await this.bury(dead)
    if (!this.stopped) this.start()
  }

  /**
   * Takes no more jobs and waits for those that run. BullMQ would also wait until Redis has heard of it, however long that
   * is away; a job of which it did not hear runs again.
   */
  async stop(): Promise<void> {
    const { worker } = this
    this.stopped = true
    this.worker = undefined
    if (!worker) return
    // One that never was waits for that first, unless it is forced.
    const closing = worker.instance.close(!this.connected)
    while (this.running.size > 0) await Promise.allSettled(this.running)
    if (!(await succeedsWithin(CLOSE_MS, closing))) await this.sever(worker)
    worker.disconnect()
  }

  /** Disconnects the worker: what waits for an answer fails, and its shutdown continues. */
  private async sever({ instance }: Connected<JobWorker>): Promise<void> {
    const severed = instance.disconnect().catch((error: unknown) => this.log.warn({ err: error }, 'a job worker could not be cut off'))
    await succeedsWithin(CLOSE_MS, severed)
  }

  /** What is dead may not be able to close in order. A job that it still runs is taken over by nobody before its lock ends. */
  private async bury(dead: Connected<JobWorker> | undefined): Promise<void> {
    if (!dead) return
    const closing = dead.instance
      .close(true)
      .catch((error: unknown) => this.log.warn({ err: error }, 'a dead job worker could not be closed'))
    await succeedsWithin(FORCED_CLOSE_MS, closing)
    dead.disconnect()
  }

  private async run(job: Job<unknown, void>): Promise<void> {
    this.lastBegunAt = performance.now()
    const performing = this.perform(job.name, job.data)
    this.running.add(performing)
    try {
      await performing
    } finally {
      this.running.delete(performing)
    }
  }
}

/** Due for so long with an idle worker at hand: the worker is dead, however alive it looks. */
const DEAD_AFTER_MS = 60_000

/** What the watch sees of a worker. Milliseconds of the monotonic clock. */
export interface WorkerSigns {
  /** Since when work has been due that nobody began. */
  dueForMs: number
  /** When this worker began a job, or was opened. */
  lastBegunAt: number
  /** Jobs it runs at this moment, and how many it could. */
  running: number
  concurrency: number
}

/**
 * Whether to open the worker again. A connection that came back half-way can leave it waiting forever without an error;
 * work that is due then waits although there is room for it. A worker that is merely busy, or that others outrun, is well.
 */
export function isSilentlyDead(signs: WorkerSigns, now: number): boolean {
  const idle = signs.running < signs.concurrency
  return idle && signs.dueForMs > DEAD_AFTER_MS && now - signs.lastBegunAt > DEAD_AFTER_MS
}
