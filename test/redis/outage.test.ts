import { afterEach, expect, it } from '@jest/globals'
import { eventually } from '../support/eventually.js'
import { describeWithOwnRedis, redisSettings, useRedis } from '../support/redis.js'
import { hears, RedisNode } from './redis-node.js'

describeWithOwnRedis('while Redis is away', () => {
  const redis = useRedis()
  const nodes: RedisNode[] = []
  afterEach(() => {
    for (const node of nodes.splice(0)) node.close()
  })

  async function twoNodes(): Promise<[RedisNode, RedisNode]> {
    const pair: [RedisNode, RedisNode] = [new RedisNode(redisSettings(redis.url)), new RedisNode(redisSettings(redis.url))]
    nodes.push(...pair)
    for (const node of pair) await node.until('up')
    return pair
  }

  it.each([
    ['killed, and back empty', () => redis.kill(), () => redis.startAgain()],
    ['paused', () => redis.pause(), () => redis.resume()],
  ])('%s: nodes notice, say so, and hear each other again', async (_what, goAway, comeBack) => {
    const [one, two] = await twoNodes()
    await goAway()
    for (const node of [one, two]) await node.until('down')
    expect(await one.read('redis_outages_total')).toBe(1)
    expect(one.recoveries).toBe(0)
    await comeBack()
    for (const node of [one, two]) await node.until('up')
    expect([one.recoveries, two.recoveries]).toEqual([1, 1])
    await hears(one, two)
    await hears(two, one)
  })

  it('an absence too short to be an outage: what was said in between can be said again', async () => {
    const [one, two] = await twoNodes()
    await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually(() => one.recoveries === 1 && two.recoveries === 1, Boolean)
    expect(await one.read('redis_outages_total')).toBe(0)
    await hears(one, two)
  })

  it('a node that may connect and not subscribe continues without, and recovers when it may', async () => {
    const [one, two] = await twoNodes()
    // Connected, and not allowed to subscribe: nothing is heard and no connection breaks.
    await redis.client.call('ACL', 'SETUSER', 'default', 'resetchannels')
    for (const node of [one, two]) await node.until('down')
    await redis.client.call('ACL', 'SETUSER', 'default', 'allchannels')
    for (const node of [one, two]) await node.until('up')
    await hears(one, two)
  })

  it.each([
    ['is a replica', () => redis.client.call('REPLICAOF', '127.0.0.1', '1'), () => redis.client.call('REPLICAOF', 'NO', 'ONE')],
    ['is full', () => redis.client.config('SET', 'maxmemory', '1'), () => redis.client.config('SET', 'maxmemory', '0')],
  ])('a Redis that %s is one that is away: it takes no leases, counters and jobs', async (_what, spoil, repair) => {
    const [one] = await twoNodes()
    await spoil()
    await one.until('down')
    await repair()
    await one.until('up')
  })

  it('commands fail at once instead of waiting, and limits count per process', async () => {
    const [one] = await twoNodes()
    await redis.pause()
    await one.until('down')
    const limit = { name: 'test', points: 2, seconds: 60 }
    await one.limits.take(limit, 'somebody', 2)
    await expect(one.limits.take(limit, 'somebody')).rejects.toThrow()
    expect(await one.read('limits_local_total')).toBe(2)
    await expect(one.lock.withLock('g', () => Promise.resolve('done'))).resolves.toBe('done')
    expect(await one.read('commit_lock_misses_total')).toBeGreaterThan(0)
    await redis.resume()
    await one.until('up')
  })
})

it('a node without Redis shows no state of it', async () => {
  const node = new RedisNode(redisSettings())
  expect(await node.read('redis_up')).toBeUndefined()
  node.close()
})
