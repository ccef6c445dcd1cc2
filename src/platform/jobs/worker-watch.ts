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
