import type { JobQueue } from './job-backend.js'
import { succeedsWithin } from '../timing.js'

/** Of these the worker takes; a job that is delayed, or scheduled, should be among the others once it is due. */
const STATES = ['waiting', 'prioritized', 'delayed'] as const

/**
 * For how long work has been due that nobody has begun, in seconds; 0 if there is none. Workers that are silently dead
 * leave scheduled jobs `delayed` long past their time, so those count as well.
 * @throws if the queue cannot be asked
 */
export async function oldestDueSeconds(queue: JobQueue, now: number): Promise<number> {
  const oldest = await Promise.all(STATES.map(async (state) => (await queue.getJobs([state], 0, 0, true))[0]))
  // A job can be taken between its name's being read and its data's.
  const due = oldest.flatMap((job) => (job?.timestamp === undefined ? [] : [job.timestamp + (job.delay ?? 0)]))
  return Math.max(0, now - Math.min(now, ...due)) / 1000
}

/** A Redis that hangs must not keep the other metrics waiting: a scraper does not wait long. */
const TIMEOUT_MS = 1_000

/** The same for a gauge: while the queue cannot be asked nothing is begun either, so the age keeps growing. */
export class WaitingAge {
  private known = { at: performance.now(), seconds: 0 }

  constructor(private readonly queue: () => JobQueue | undefined) {}

  async read(): Promise<number> {
    const queue = this.queue()
    if (!queue) return 0
    const asked = oldestDueSeconds(queue, Date.now()).then((seconds) => {
      this.known = { at: performance.now(), seconds }
    })
    if (await succeedsWithin(TIMEOUT_MS, asked)) return this.known.seconds
    return this.known.seconds + (performance.now() - this.known.at) / 1000
  }
}
