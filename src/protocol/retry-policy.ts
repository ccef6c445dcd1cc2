const FIRST_MS = 1_000
const MAX_MS = 300_000
/** A peer may ask for patience, but not for being forgotten. */
const MAX_ASKED_SECONDS = 3_600

/**
 * Milliseconds until the next try after that many failures in a row: twice the time before, up to five minutes, of which a random
 * part, so that many who wait for one do not come back together. At least what the other side asked for.
 * @param random from 0 up to 1
 */
export function retryDelay(failures: number, random: number, askedSeconds = 0): number {
  const most = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(Math.max(failures, 1) - 1, 30))
  const asked = Math.min(askedSeconds, MAX_ASKED_SECONDS) * 1_000
  return Math.max(asked, most / 2 + (most / 2) * random)
}

/** What an HTTP status says of trying again: the request is done with, may pass later (5xx, 408, 425, 429), or never passes. */
export function judgeStatus(status: number): 'delivered' | 'transient' | 'permanent' {
  if (status >= 200 && status < 300) return 'delivered'
  return status >= 500 || status === 408 || status === 425 || status === 429 ? 'transient' : 'permanent'
}

/**
 * Seconds that a Retry-After field (RFC 9110 §10.2.3) asks for, as a number or until a date; undefined if there is none, or one that
 * makes no sense. `nowMs` is in milliseconds since 1970.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const at = /^[A-Z][a-z]{2}, /.test(value) ? Date.parse(value) : NaN
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1_000))
}
