/** By how much clocks may differ. */
const TOLERATED_MS = 300_000

/** Whether a receipt is of a time that has come. It may be old: a repeated request is answered with the time of the first. */
export function isPast(atMs: bigint): boolean {
  return Number(atMs) <= Date.now() + TOLERATED_MS
}
