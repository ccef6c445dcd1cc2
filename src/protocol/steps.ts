/** Work that can be put aside between any two of its steps, each of which takes microseconds. */
export type Steps<T> = Generator<void, T, void>

/** Takes all steps at once, without a pause, and gives their result. What a step throws comes through. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
