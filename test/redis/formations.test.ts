import { afterEach, describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../src/platform/config/config.js'
import { Jobs } from '../../src/platform/jobs/jobs.js'
import { createLog } from '../../src/platform/observability/log.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { connectRedis } from '../../src/platform/redis/connect-redis.js'
import { redisTarget, type RedisSettings } from '../../src/platform/redis/redis-target.js'
import { eventually } from '../support/eventually.js'
import { describeWithRedisServers, redisSettings } from '../support/redis.js'
import { RedisCluster } from '../support/redis/redis-cluster.js'
import { RedisSentinels } from '../support/redis/redis-sentinels.js'
import { testEnvironment } from '../support/server.js'
import { hears, mostInside, RedisNode } from './redis-node.js'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function twoNodes(settings: Partial<RedisSettings>): Promise<[RedisNode, RedisNode]> {
  const create = () => new RedisNode({ ...redisSettings(), ...settings })
  const pair: [RedisNode, RedisNode] = [create(), create()]
  closing.push(() => pair.forEach((node) => node.close()))
  for (const node of pair) await node.until('up')
  return pair
}

async function jobsThatRan(settings: Record<string, string>) {
  const config = loadConfig(testEnvironment('postgres://localhost/none', settings))
  const jobs = new Jobs(config, createLog({ LOG_LEVEL: 'silent' }), new Metrics())
  const ran: unknown[] = []
  jobs.process('greet_v1', async (data) => void ran.push(data))
  await jobs.onApplicationBootstrap()
  closing.push(() => jobs.close())
  return { jobs, ran }
}

/** Waits until a job gets through: while nobody is master, adding one fails. */
async function runsJobs({ jobs, ran }: Awaited<ReturnType<typeof jobsThatRan>>, label: string): Promise<void> {
  await eventually(async () => {
    await jobs.enqueue('greet_v1', label).catch(() => undefined)
    return ran.includes(label)
  }, Boolean)
}

async function serves(nodes: [RedisNode, RedisNode]): Promise<void> {
  await hears(nodes[0], nodes[1])
  await hears(nodes[1], nodes[0])
  await eventually(
    () => mostInside(nodes, `group ${Math.random()}`),
    (most) => most === 1,
  )
  // A command can still meet a slot that moves.
  await eventually(async () => {
    const before = await nodes[0].read('limits_local_total')
    await nodes[0].limits.take({ name: 'test', points: 100_000, seconds: 60 }, 'somebody')
    return before === (await nodes[0].read('limits_local_total'))
  }, Boolean)
}

describeWithRedisServers('Redis in formation', () => {
  it('Sentinel: everything works, also after the master died and the replica took over', async () => {
    const sentinels = await RedisSentinels.start()
    closing.push(() => sentinels.stop())
    const nodes = await twoNodes(sentinels.settings)
    const jobs = await jobsThatRan(sentinels.settings)
    await serves(nodes)
    await runsJobs(jobs, 'before')
    const [master, replica] = sentinels.servers
    expect(await sentinels.masterPort()).toBe(master.port)
    await master.kill()
    await eventually(
      () => sentinels.masterPort(),
      (port) => port === replica.port,
    )
    await serves(nodes)
    await runsJobs(jobs, 'after')
  })

  it('Sentinel: a failover in the midst of connecting is no end', async () => {
    const sentinels = await RedisSentinels.start()
    closing.push(() => sentinels.stop())
    const target = redisTarget({ ...redisSettings(), ...sentinels.settings })
    const client = connectRedis(target!, 'fail-fast').on('error', () => undefined)
    closing.push(() => client.disconnect())
    const ended = Promise.withResolvers<void>()
    client.once('end', ended.resolve)
    const isReady = () => eventually(() => client.status === 'ready', Boolean)
    await isReady()
    // What ioredis does when a sentinel tells of a failover, at the moment at which it ends the connection.
    client.once('connecting', () => (client as unknown as { connector: { disconnect(): void } }).connector.disconnect())
    client.disconnect(true)
    await ended.promise
    await isReady()
  })

  it('Cluster: everything works, also after a master died and its replica took over', async () => {
    const cluster = await RedisCluster.start()
    closing.push(() => cluster.stop())
    const nodes = await twoNodes(cluster.settings)
    const jobs = await jobsThatRan(cluster.settings)
    await serves(nodes)
    await runsJobs(jobs, 'before')
    await cluster.nodes[0]!.kill()
    await eventually(
      () => cluster.ask(1, (client) => client.cluster('INFO')),
      (info) => /cluster_state:ok/.test(info) && /cluster_slots_fail:0/.test(info),
    )
    await serves(nodes)
    await runsJobs(jobs, 'after')
  })
})

describe('REDIS_URL and REDIS_MODE', () => {
  const refusal = (settings: Record<string, string>) => {
    try {
      loadConfig(testEnvironment('postgres://localhost/none', settings))
    } catch (error) {
      return (error as Error).message
    }
  }
  it.each([
    [{ REDIS_URL: 'redis://a,redis://b' }, 'several addresses'],
    [{ REDIS_MODE: 'cluster' }, 'REDIS_URL is not'],
    [{ REDIS_URL: 'redis://a/3,redis://b', REDIS_MODE: 'cluster' }, 'only database 0'],
    [{ REDIS_URL: 'redis://a,rediss://b', REDIS_MODE: 'sentinel' }, 'mixes'],
    [{ REDIS_URL: 'redis://a,http://b', REDIS_MODE: 'sentinel' }, 'must be redis://'],
    [{ REDIS_URL: 'redis://a/zero' }, 'must be redis://'],
    [{ REDIS_URL: 'redis://a,' }, 'must be redis://'],
  ])('%j make no sense', (settings, sentence) => {
    expect(refusal(settings)).toContain(sentence)
  })
  it('make sense together otherwise', () => {
    for (const settings of [
      { REDIS_URL: 'rediss://user:p%40ss@[::1]:7000/2' },
      { REDIS_URL: 'redis://a:1, redis://b:2', REDIS_MODE: 'sentinel' },
      { REDIS_URL: 'redis://a', REDIS_MODE: 'cluster' },
    ]) {
      expect(refusal(settings)).toBeUndefined()
    }
  })
})
