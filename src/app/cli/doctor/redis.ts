import { Cluster } from 'ioredis'
import { connectRedis, type RedisClient } from '../../../platform/redis/connect-redis.js'
import { redisTarget, type RedisSettings } from '../../../platform/redis/redis-target.js'
import { ok, problem, reasonOf, warning, type Finding } from './finding.js'
import { within } from '../../../platform/timing.js'

const PATIENCE_MS = 5_000

const SETTINGS = {
  single: 'REDIS_URL',
  sentinel: 'REDIS_URL (the sentinels), REDIS_SENTINEL_NAME and REDIS_SENTINEL_PASSWORD',
  cluster: 'REDIS_URL and REDIS_MODE',
} as const

/** The servers that the processes would use: the only one, the master that the sentinels name, or all masters of the cluster. */
export async function examineRedis(config: RedisSettings): Promise<Finding[]> {
  const target = redisTarget(config)
  if (!target) return [ok('Redis is not used: hints stay in the process, jobs are in PostgreSQL.')]
  const redis = connectRedis(target, 'wait')
  let lastError: unknown
  redis.on('error', (error) => (lastError = error))
  try {
    await within(PATIENCE_MS, redis.ping())
    const servers = redis instanceof Cluster ? redis.nodes('master') : [redis]
    const memory = await within(PATIENCE_MS, Promise.all(servers.map((server) => server.info('memory'))))
    return [ok(`Redis answers (${target.mode}, ${servers.length} to write to).`), ...(await clusterFindings(redis)), policyFinding(memory)]
  } catch (error) {
    return [problem(`Redis cannot be used (${reasonOf(lastError ?? error)}). Check ${SETTINGS[target.mode]}.`)]
  } finally {
    redis.disconnect()
  }
}

async function clusterFindings(redis: RedisClient): Promise<Finding[]> {
  if (!(redis instanceof Cluster)) return []
  const info = await within(PATIENCE_MS, redis.cluster('INFO'))
  if (/cluster_state:ok/.test(info)) return [ok('The Redis Cluster serves all its slots.')]
  return [problem('The Redis Cluster does not serve all its slots: some jobs, locks and limits fail. See CLUSTER INFO.')]
}

/** Managed Redis often forbids CONFIG, but INFO says it, too. */
function policyFinding(memory: readonly string[]): Finding {
  const policies = new Set(memory.map((info) => /maxmemory_policy:(\S+)/.exec(info)?.[1] ?? 'unknown'))
  policies.delete('noeviction')
  if (policies.size === 0) return ok('Redis keeps what it was given (maxmemory-policy noeviction).')
  return warning(`Redis has maxmemory-policy ${[...policies].join(', ')}: when memory runs short it drops jobs. Set noeviction.`)
}
