import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves after `ms` milliseconds. */
export { sleep }

/**
 * The result of `work`, if it comes in time. The work itself continues either way; if it fails later, nobody hears of it.
 * @param ms what has arrived by then is still read, also by a process that was busy until then
 * @param late the message of the error
 * @throws what `work` throws; an Error with the code ETIMEDOUT if it takes longer
 */
export async function within<T>(ms: number, work: Promise<T>, late = 'No answer'): Promise<T> {
  const ended = Promise.withResolvers<never>()
  const timer = setTimeout(() => setImmediate(() => ended.reject(Object.assign(new Error(late), { code: 'ETIMEDOUT' }))), ms)
  try {
    return await Promise.race([work, ended.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Whether `work` is done within `ms` milliseconds, without a failure. It continues either way. */
export function succeedsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  return within(ms, work).then(
    () => true,
    () => false,
  )
}

/** Unix seconds, as MLS and device lists (docs/identity.md) have times. */
export function secondsNow(): bigint {
  return BigInt(Math.floor(Date.now() / 1000))
}
