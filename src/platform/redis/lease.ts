import type { Redis } from 'ioredis'

/**
 * Deletes the lease if it is still ours; after it ran out it may be another node's.
 * KEYS[1] the lease, ARGV[1] the token under which it was taken.
 */
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

export async function acquireLease(redis: Redis, key: string, token: string, leaseMs: number): Promise<'got' | 'busy'> {
  return (await redis.set(`lock:${key}`, token, 'PX', leaseMs, 'NX')) === 'OK' ? 'got' : 'busy'
}

export async function releaseLease(redis: Redis, key: string, token: string): Promise<void> {
  await redis.eval(RELEASE, 1, `lock:${key}`, token)
}
