import { afterEach, expect, it } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { type Hint, sealHints } from '../../src/platform/hints/hint.js'
import { Hints } from '../../src/platform/hints/hints.js'
import { createLog } from '../../src/platform/observability/log.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { CommitLock } from '../../src/platform/redis/commit-lock.js'
import { RedisClients } from '../../src/platform/redis/redis-clients.js'
import { RedisSubscription } from '../../src/platform/redis/redis-subscription.js'
import { Secrets } from '../../src/platform/secrets.js'
import { eventually } from '../support/eventually.js'
import { describeWithOwnRedis, redisSettings, useRedis } from '../support/redis.js'

const secret = randomBytes(32).toString('base64')
const log = createLog({ LOG_LEVEL: 'silent' })
const channel = (index: number) => `microchat:localhost:hint:${index}`
const LEASE = 'microchat:localhost:lock:g'

describeWithOwnRedis('two nodes with one Redis', () => {
  const redis = useRedis()
  const open: { close(): void }[] = []
  let lastClient: RedisClients
  afterEach(async () => {
    for (const each of open.splice(0)) each.close()
    await redis.client.flushall()
  })

  async function node(SERVER_SECRET = secret) {
    const connections = new RedisClients(redisSettings(redis.url))
    lastClient = connections
    const metrics = new Metrics()
    const subscription = new RedisSubscription(connections, metrics, log)
    open.push(connections, subscription)
    const hints = new Hints(connections, subscription, new Secrets({ SERVER_SECRET }), metrics, log)
    const heard: Hint[] = []
    hints.subscribe((hint) => heard.push(hint))
    await eventually(
      () => connections.publisher?.status,
      (status) => status === 'ready',
    )
    await eventually(subscriptions, (count) => count >= open.length * 32)
    const counted = async (metric: 'hintsDropped' | 'commitLockMisses') =>
      (await metrics[metric].get()).values.reduce((sum, { value }) => sum + value, 0)
    return { hints, heard, counted, lock: new CommitLock(connections, metrics) }
  }
  const subscriptions = async () => {
    const answer = (await redis.client.call('PUBSUB', 'NUMSUB', ...Array.from({ length: 64 }, (_, index) => channel(index)))) as (
      string | number
    )[]
    return answer.reduce<number>((sum, value) => sum + (typeof value === 'number' ? value : 0), 0)
  }

  it('hear each other and themselves once', async () => {
    const [a, b] = [await node(), await node()]
    const sent: Hint[] = [
      { kind: 'group', gid: 1n, headSeq: 7n },
      { kind: 'revoked', deviceId: 2n },
      { kind: 'group', gid: 65n, headSeq: 8n },
    ]
    a.hints.publish(sent)
    await eventually(
      () => b.heard.length,
      (count) => count === 3,
    )
    expect(new Set(b.heard)).toEqual(new Set(sent))
    b.hints.publish([{ kind: 'inbox', deviceId: 9n }])
    await eventually(
      () => a.heard.length,
      (count) => count === 4,
    )
    expect(a.heard.slice(0, 3)).toEqual(sent)
  })

  it('believe nobody without the server secret', async () => {
    const a = await node()
    const forger = new Secrets({ SERVER_SECRET: randomBytes(32).toString('base64') })
    const hint: Hint = { kind: 'revoked', deviceId: 1n }
    await redis.client.publish(channel(1), sealHints({ secrets: forger, most: 16_384 }, channel(1), 'evil', [hint]))
    await redis.client.publish(channel(1), 'hello')
    await redis.client.publish(
      channel(2),
      sealHints({ secrets: new Secrets({ SERVER_SECRET: secret }), most: 16_384 }, channel(1), 'replayed elsewhere', [hint]),
    )
    await eventually(
      () => a.counted('hintsDropped'),
      (count) => count === 3,
    )
    expect(a.heard).toEqual([])
  })

  it('publish into the void without waiting or throwing while Redis is away, and hear again afterwards', async () => {
    const [a, b] = [await node(), await node()]
    await redis.pause()
    for (let index = 0; index < 100; index++) a.hints.publish([{ kind: 'inbox', deviceId: BigInt(index) }])
    expect(a.heard).toHaveLength(100)
    await redis.resume()
    await eventually(() => {
      a.hints.publish([{ kind: 'group', gid: 1n, headSeq: 1n }])
      return b.heard.some(({ kind }) => kind === 'group')
    }, Boolean)
  })

  it('do not work on one group at the same time', async () => {
    const [a, b] = [await node(), await node()]
    let [inside, most] = [0, 0]
    const work = async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setTimeout(resolve, 10))
      inside--
    }
    await Promise.all([a, b, a, b, a, b].map(({ lock }) => lock.withLock('g', work)))
    expect(most).toBe(1)
    expect(await redis.client.keys('*:lock:*')).toEqual([])
  })

  it('continue without the lock when another node keeps it, and leave that one its lease', async () => {
    const a = await node()
    await redis.client.set(LEASE, 'foreign', 'PX', 60_000)
    await expect(a.lock.withLock('g', () => Promise.resolve('done'))).resolves.toBe('done')
    expect(await a.counted('commitLockMisses')).toBe(1)
    expect(await redis.client.get(LEASE)).toBe('foreign')
  })

  it("leave a lease alone that ran out and is another node's now", async () => {
    const a = await node()
    await a.lock.withLock('g', async () => void (await redis.client.set(LEASE, 'foreign', 'PX', 60_000)))
    // Sent on the same connection after the release, so answered after it.
    await lastClient.publisher?.ping()
    expect(await redis.client.get(LEASE)).toBe('foreign')
  })

  it('continue without the lock when Redis hangs', async () => {
    const a = await node()
    await redis.pause()
    // It hangs until the test is over: what waited for it would not end.
    await expect(a.lock.withLock('g', () => Promise.resolve('done'))).resolves.toBe('done')
    expect(await a.counted('commitLockMisses')).toBe(1)
    await redis.resume()
  })
})
