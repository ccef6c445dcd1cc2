import type { RedisClient } from './connect-redis.js'

/**
 * Deletes the lease if it is still ours; after it ran out it may be another node's.
 * KEYS[1] the lease, ARGV[1] the token under which it was taken.
 */
const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

export async function acquireLease(redis: RedisClient, key: string, token: string, leaseMs: number): Promise<'got' | 'busy'> {
  return (await redis.set(key, token, 'PX', leaseMs, 'NX')) === 'OK' ? 'got' : 'busy'
}

export async function releaseLease(redis: RedisClient, key: string, token: string): Promise<void> {
  await redis.eval(RELEASE, 1, key, token)
}
