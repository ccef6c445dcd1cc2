const MAX_SECONDS = 3_600

/** For how long a client of ours is put off by another provider's word: not until it has forgotten what it wanted. */
export function capRetryAfter(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds >= 0 ? Math.min(seconds, MAX_SECONDS) : undefined
}
