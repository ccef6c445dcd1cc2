/** How long one slice may hold up the event loop. */
const SLICE_MS = 2

/** Work on the event loop that lets everything else have its turn: by slices, and one piece of work at a time. */
export class Slices {
  private last: Promise<unknown> = Promise.resolve()

  /** Runs the steps to their end. @returns what they return, or throws what they throw */
  run<T>(steps: Iterator<void, T, void>): Promise<T> {
    const mine = this.last.then(() => inSlices(steps))
    this.last = mine.catch(() => undefined)
    return mine
  }
}

async function inSlices<T>(steps: Iterator<void, T, void>): Promise<T> {
  for (;;) {
    const end = performance.now() + SLICE_MS
    do {
      const step = steps.next()
      if (step.done === true) return step.value
    } while (performance.now() < end)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
