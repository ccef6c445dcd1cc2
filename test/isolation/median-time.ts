/** The median of what one call takes on this thread, in milliseconds. Compare it with another one of the same run only. */
export function medianMs(work: () => unknown, rounds = 41): number {
  const samples: number[] = []
  for (let round = 0; round < rounds; round++) {
    const began = performance.now()
    work()
    samples.push(performance.now() - began)
  }
  return samples.toSorted((a, b) => a - b)[rounds >> 1] ?? 0
}
