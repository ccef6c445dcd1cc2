/** How long one slice may hold up the event loop. */
const SLICE_MS = 2

/**
 * Work on the event loop that lets everything else have its turn, by slices.
 * @param took gets the milliseconds of each slice
 * @returns what the steps return, or throws what they throw
 */
export async function inSlices<T>(steps: Iterator<void, T, void>, took: (ms: number) => void): Promise<T> {
  for (;;) {
    const done = slice(steps, took)
    if (done) return done.value
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function slice<T>(steps: Iterator<void, T, void>, took: (ms: number) => void): { value: T } | undefined {
  const began = performance.now()
  try {
    do {
      const step = steps.next()
      if (step.done === true) return { value: step.value }
    } while (performance.now() < began + SLICE_MS)
    return undefined
  } finally {
    took(performance.now() - began)
  }
}
