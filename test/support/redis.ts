import { afterAll, beforeAll, describe } from '@jest/globals'
import { Redis } from 'ioredis'
import type { RedisSettings } from '../../src/platform/redis/redis-target.js'
import { eventually } from './eventually.js'
import { startRedisContainer } from './redis/redis-container.js'
import { RedisProcess } from './redis/redis-process.js'

/** Found by the run's set-up: a redis-server on the PATH, TEST_REDIS_URL, Docker, or nothing. */
const source = process.env['TEST_REDIS_SOURCE'] ?? 'none'

export const hasRedis = source !== 'none'
/** Skipped, by name, where there is no Redis. */
export const describeWithRedis = hasRedis ? describe : describe.skip
/** For tests that stop, pause or restart it: not with the Redis of TEST_REDIS_URL. */
export const describeWithOwnRedis = source === 'server' || source === 'container' ? describe : describe.skip
/** For tests that need several servers in formation. */
export const describeWithRedisServers = source === 'server' ? describe : describe.skip

/** Starting a container, or waiting for another file to be done with TEST_REDIS_URL. */
const PATIENCE_MS = 300_000

export interface TestRedis {
  url: string
  /** A client for looking and meddling. */
  client: Redis
  /** There, but silent, until `resume`. */
  pause(): void | Promise<void>
  resume(): void | Promise<void>
  /** Gone, and with it all it knew, until `startAgain`. */
  kill(): Promise<void>
  startAgain(): Promise<void>
  stop(): Promise<void>
}

/** What `RedisClients` asks of the configuration: a single server, or none. */
export function redisSettings(url?: string): RedisSettings & { DOMAIN: string } {
  return { REDIS_URL: url, REDIS_MODE: 'single', REDIS_SENTINEL_NAME: 'mymaster', DOMAIN: 'localhost' }
}

/** A Redis for all tests of the calling file or `describe`. Its properties are there from the first `beforeAll` on. */
export function useRedis(): TestRedis {
  const redis = {} as TestRedis
  beforeAll(async () => void Object.assign(redis, await startRedis()), PATIENCE_MS)
  afterAll(() => redis.stop?.())
  return redis
}

/** For tests that need one only sometimes; else `useRedis`. */
export async function startRedis(): Promise<TestRedis> {
  const given = process.env['TEST_REDIS_URL']
  if (source === 'url' && given) return borrowRedis(given)
  const server = source === 'container' ? await startRedisContainer() : await RedisProcess.start()
  const client = new Redis(server.url, { maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  return {
    url: server.url,
    client,
    pause: () => server.pause(),
    resume: () => server.resume(),
    kill: () => server.kill(),
    startAgain: () => server.startAgain(),
    stop: async () => {
      client.disconnect()
      await server.kill()
    },
  }
}

/** One test file at a time, as they would hear each other's hints. */
async function borrowRedis(url: string): Promise<TestRedis> {
  const client = new Redis(url)
  const lease = 'microchat-test-lease'
  await eventually(
    () => client.set(lease, 'taken', 'PX', PATIENCE_MS, 'NX'),
    (answer) => answer === 'OK',
    PATIENCE_MS,
  )
  const impossible = () => {
    throw new Error('Only a Redis of our own can be stopped')
  }
  const stop = async () => {
    await client.flushdb()
    client.disconnect()
  }
  return { url, client, pause: impossible, resume: impossible, kill: impossible, startAgain: impossible, stop }
}
