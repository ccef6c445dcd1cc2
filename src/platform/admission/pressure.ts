import { getHeapStatistics } from 'node:v8'

/** What is given up in this order when the process has too much to do; `last` never is: acknowledgements, health. */
export type Priority = 'anonymous' | 'read' | 'post' | 'last'

export interface Load {
  /** Mean delay of the event loop over one sample, in milliseconds. */
  readonly delayMs: number
  /** The part of the heap's limit that is in use, 0 to 1. */
  readonly heap: number
}

/** Multiples of the configured delay, and parts of the heap, from which each kind of work is refused. */
const THRESHOLDS = { anonymous: { delays: 1, heap: 0.85 }, read: { delays: 2, heap: 0.9 }, post: { delays: 4, heap: 0.95 } } as const

/** A single pause (a garbage collection, one large computation) is no overload: this many samples in a row are. */
const SAMPLES = 3
export const SAMPLE_MS = 500

/** Whether the process has more to do than it can, by samples of its event loop and heap. */
export class Pressure {
  private readonly recent: Load[] = []

  /** @param delayMs the delay of the event loop from which anonymous work is refused; reads and posts follow at twice and four times as much */
  constructor(private readonly delayMs: number) {}

  note(load: Load): void {
    this.recent.push(load)
    if (this.recent.length > SAMPLES) this.recent.shift()
  }

  refuses(priority: Priority): boolean {
    if (priority === 'last' || this.recent.length < SAMPLES) return false
    const { delays, heap } = THRESHOLDS[priority]
    return this.recent.every((load) => load.delayMs > delays * this.delayMs || load.heap > heap)
  }
}

/** @param used bytes of the heap in use, as `process.memoryUsage().heapUsed` says */
export function heapShare(used: number): number {
  return used / getHeapStatistics().heap_size_limit
}
