import { Piscina } from 'piscina'

/** Why a task came to nothing: too many wait already, or the thread did not live to finish it. Nothing is known of the task itself. */
export class WorkerFailure extends Error {}

export interface WorkerPoolLimits {
  readonly threads: number
  /** Tasks that may wait for a thread. */
  readonly queue: number
  /** Of JavaScript objects, in one thread. What needs more ends that thread and no other. */
  readonly heapMegabytes: number
}

const IDLE_MS = 60_000
/**
 * Objects that are younger than two collections of garbage. With Node's default of 48 MB, one collection takes a thread so far past its heap's
 * limit that V8 aborts the process before the thread has been ended.
 */
const YOUNG_MEGABYTES = 8
const NICE = 10

/** Threads for computations that would hold up the event loop. They start when they are needed and end when they no longer are. */
export class WorkerPool {
  private readonly threads: Piscina<unknown, unknown>
  private closed = false

  constructor(file: URL, { threads, queue, heapMegabytes }: WorkerPoolLimits) {
    this.threads = new Piscina({
      filename: file.href,
      minThreads: 0,
      maxThreads: threads,
      maxQueue: queue,
      idleTimeout: IDLE_MS,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
      // A thread that waits for its next task with Atomics would not hear from the thread pool, which checks its signatures.
      atomics: 'disabled',
      // Where there are fewer processors than threads, the event loop comes first.
      niceIncrement: NICE,
      recordTiming: false,
    })
  }

  /** Tasks that wait or run. */
  get busy(): number {
    return this.threads.queueSize + this.threads.threads.length - this.threads.idleThreads
  }

  /**
   * Calls a function that the file exports. `task` and the answer are copied, but for the memory of `transfer`, which moves.
   * @throws WorkerFailure
   */
  async run<Answer>(name: string, task: unknown, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    if (this.closed) throw new WorkerFailure('The threads have been ended.')
    try {
      return (await this.threads.run(task, { name, transferList: [...transfer] })) as Answer
    } catch (error) {
      throw new WorkerFailure(`A worker thread did not finish: ${String(error)}`, { cause: error })
    }
  }

  /** Ends the threads, whatever they do. */
  async close(): Promise<void> {
    this.closed = true
    await this.threads.destroy()
  }
}

/** What the threads of a pool are to load: the compiled file, also when the sources run by themselves, as in tests. */
export function workerFile(moduleUrl: string, name: string): URL {
  if (!moduleUrl.endsWith('.ts')) return new URL(`${name}.js`, moduleUrl)
  return new URL(`${name}.js`, moduleUrl.replace(/\/src\/(.*)$/, '/dist/$1'))
}
