import type { Job } from 'bullmq'
import type { Logger } from 'pino'
import type { Config } from '../config/config.js'
import { openWorker, type JobWorker, type Opened } from './job-backend.js'
import type { QuietLog } from './quiet-log.js'
import { isSilentlyDead } from './worker-watch.js'

const FORCED_CLOSE_MS = 5_000

/** What becomes of jobs is told to whoever started the runner. */
export interface RunnerEvents {
  failed(name: string, error: Error, attempt: number | undefined): void
  restarted(): void
}

/** One BullMQ worker, replaced when it is dead and does not know it. */
export class JobRunner {
  private worker: Opened<JobWorker> | undefined
  private running = 0
  private stopped = false
  private lastBegunAt = performance.now()

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
    const { opened } = this.worker
    opened.on('error', (error) => this.errors.warn(error, 'job worker'))
    opened.on('failed', (job, error) => this.events.failed(job?.name ?? 'unknown', error, job?.attemptsMade))
    opened.run().catch((error: unknown) => this.log.error({ err: error }, 'job worker stopped'))
  }

  /** @param dueForMs for how long work has been due that nobody began */
  async check(dueForMs: number): Promise<void> {
    const { running, lastBegunAt } = this
    if (!isSilentlyDead({ dueForMs, running, lastBegunAt, concurrency: this.config.JOB_CONCURRENCY }, performance.now())) return
    this.log.error({ due_for_seconds: Math.round(dueForMs / 1000) }, 'the job worker does not take work that is due; it is opened anew')
    this.events.restarted()
    const dead = this.worker
    this.worker = undefined
    // First, as the budget of connections has no room for two.
    await this.bury(dead)
    if (!this.stopped) this.start()
  }

  /** Takes no more jobs and waits for those that run. */
  async stop(): Promise<void> {
    const { worker } = this
    this.stopped = true
    this.worker = undefined
    await worker?.opened.close()
    worker?.disconnect()
  }

  /** What is dead may not be able to close in order. A job that it still runs is taken over by nobody before its lock ends. */
  private async bury(dead: Opened<JobWorker> | undefined): Promise<void> {
    const patience = new Promise((resolve) => void setTimeout(resolve, FORCED_CLOSE_MS).unref())
    const closing = dead?.opened
      .close(true)
      .catch((error: unknown) => this.log.warn({ err: error }, 'a dead job worker could not be closed'))
    await Promise.race([closing, patience])
    dead?.disconnect()
  }

  private async run(job: Job<unknown, void>): Promise<void> {
    this.lastBegunAt = performance.now()
    this.running += 1
    try {
      await this.perform(job.name, job.data)
    } finally {
      this.running -= 1
    }
  }
}
