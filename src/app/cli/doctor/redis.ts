import { Cluster } from 'ioredis'
import { connectRedis, type RedisClient } from '../../../platform/redis/connect-redis.js'
import { redisTarget, type RedisSettings } from '../../../platform/redis/redis-target.js'
import { within } from '../../../platform/timing.js'
import { ok, problem, reasonOf, warning, type Finding } from './finding.js'

const TIMEOUT_MS = 5_000

const SETTINGS_BY_MODE = {
  single: 'REDIS_URL',
  sentinel: 'REDIS_URL (the sentinels), REDIS_SENTINEL_NAME and REDIS_SENTINEL_PASSWORD',
  cluster: 'REDIS_URL and REDIS_MODE',
} as const

/** Whether Redis can be reached with these settings, serves all its slots, and never evicts jobs. */
export async function examineRedis(config: RedisSettings): Promise<Finding[]> {
  const target = redisTarget(config)
  if (!target) return [ok('Redis is not used: hints stay in the process, jobs are in PostgreSQL.')]
  const redis = connectRedis(target, 'wait')
  let lastError: unknown
  redis.on('error', (error) => (lastError = error))
  try {
    await within(TIMEOUT_MS, redis.ping())
    // Every server that takes writes: the single one, the master that Sentinel names, or all masters of the cluster.
    const servers = redis instanceof Cluster ? redis.nodes('master') : [redis]
    const memory = await within(TIMEOUT_MS, Promise.all(servers.map((server) => server.info('memory'))))
    return [ok(`Redis answers (${target.mode}, ${servers.length} writable).`), ...(await clusterFindings(redis)), evictionFinding(memory)]
  } catch (error) {
    return [problem(`Redis cannot be used (${reasonOf(lastError ?? error)}). Check ${SETTINGS_BY_MODE[target.mode]}.`)]
  } finally {
    redis.disconnect()
  }
}

async function clusterFindings(redis: RedisClient): Promise<Finding[]> {
  if (!(redis instanceof Cluster)) return []
  const info = await within(TIMEOUT_MS, redis.cluster('INFO'))
  if (/cluster_state:ok/.test(info)) return [ok('The Redis Cluster serves all its slots.')]
  return [problem('The Redis Cluster does not serve all its slots: some jobs, locks and limits fail. See CLUSTER INFO.')]
}

/** @param memory section `memory` of INFO, for each server: managed Redis often forbids CONFIG GET */
export function evictionFinding(memory: readonly string[]): Finding {
  const policies = new Set(memory.map((info) => /maxmemory_policy:(\S+)/.exec(info)?.[1]))
  policies.delete('noeviction')
  if (policies.size === 0) return ok('Redis evicts nothing (maxmemory-policy noeviction).')
  const evicting = [...policies].filter((policy) => policy !== undefined)
  if (evicting.length === 0)
    return warning('Redis does not say its maxmemory-policy. It must be noeviction: any other may drop jobs when memory runs short.')
  return warning(`Redis has maxmemory-policy ${evicting.join(', ')}: when memory runs short it may drop jobs. Set noeviction.`)
}
