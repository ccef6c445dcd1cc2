/** Milliseconds; what stands for many of them in a table. */
export function describeSamples(samples: readonly number[]): { p50: number; p99: number } {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: round(at(0.5)), p99: round(at(0.99)) }
}

export function round(value: number): number {
  return Number(value.toPrecision(3))
}

export function printTable(rows: readonly Record<string, string | number>[]): void {
  console.table(rows)
}
