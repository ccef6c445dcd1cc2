import { describe, expect, test } from '@jest/globals'
import { RateLimited } from '../http/problem.js'
import { redisSettings } from '../../../test/support/redis.js'
import { Metrics } from '../observability/metrics.js'
import { RedisClients } from '../redis/redis-clients.js'
import { Secrets } from '../secrets.js'
import { Limits } from './limits.js'

const secrets = new Secrets({ SERVER_SECRET: Buffer.alloc(32, 1).toString('base64') })
const withoutRedis = new RedisClients(redisSettings())
const limit = { name: 'test', points: 3, seconds: 60 }

describe('Limits', () => {
  test('lets through as many as allowed, then says when to come back', async () => {
    const limits = new Limits(withoutRedis, secrets, new Metrics())
    for (let i = 0; i < 3; i++) await limits.take(limit, '192.0.2.1')
    const refusal = await limits.take(limit, '192.0.2.1').catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(RateLimited)
    expect((refusal as RateLimited).retryAfter).toBeGreaterThan(0)
    expect((refusal as RateLimited).retryAfter).toBeLessThanOrEqual(60)
  })

  test('counts every key and every rule for itself', async () => {
    const limits = new Limits(withoutRedis, secrets, new Metrics())
    await limits.take(limit, '192.0.2.1', 3)
    await limits.take(limit, '192.0.2.2', 3)
    await limits.take({ ...limit, name: 'other' }, '192.0.2.1', 3)
    await expect(limits.take(limit, '192.0.2.2')).rejects.toBeInstanceOf(RateLimited)
  })

  test('falls back to its own counters while Redis is away', async () => {
    const gone = new RedisClients(redisSettings('redis://127.0.0.1:1'))
    const metrics = new Metrics()
    const limits = new Limits(gone, secrets, metrics)
    await limits.take(limit, '192.0.2.1', 3)
    await expect(limits.take(limit, '192.0.2.1')).rejects.toBeInstanceOf(RateLimited)
    gone.close()
    expect(await metrics.registry.getSingleMetricAsString('limits_local_total')).toMatch(/^limits_local_total 2$/m)
  })

  test('counts exactly where a rule says so: no two keys meet, what is refused does not count, and it says how much is used', async () => {
    const limits = new Limits(withoutRedis, secrets, new Metrics())
    const exact = { name: 'bytes', points: 100, seconds: 86_400, exact: true } as const
    for (let i = 0; i < 4_000; i++) await limits.take(exact, `key ${i}`, 60)
    const refusal = (await limits.take(exact, 'key 1', 41).catch((error: unknown) => error)) as RateLimited
    expect(refusal.extension).toMatchObject({ used: 60, allowed: 100 })
    await limits.take(exact, 'key 1', 40)
    expect(await limits.used(exact, 'key 1')).toEqual({ used: 100, allowed: 100 })
    await limits.giveBack(exact, 'key 1', 30)
    await limits.take(exact, 'key 1', 30)
    expect(await limits.used(exact, 'nobody')).toEqual({ used: 0, allowed: 100 })
  })

  /** Of 4,000 keys in 65,536 counters about 120 meet another one; with a counter each, none would. */
  test('keeps a bounded number of counters, however many keys are invented', async () => {
    const limits = new Limits(withoutRedis, secrets, new Metrics())
    const once = { name: 'once', points: 1, seconds: 60 }
    let refused = 0
    for (let i = 0; i < 4_000; i++) await limits.take(once, `key ${i}`).catch(() => refused++)
    expect(refused).toBeGreaterThan(40)
    expect(refused).toBeLessThan(300)
  })
})
