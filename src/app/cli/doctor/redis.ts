import { Redis } from 'ioredis'
import type { Config } from '../../../platform/config/config.js'
import { ok, problem, reasonOf, warning, type Finding } from './finding.js'

export async function examineRedis(config: Pick<Config, 'REDIS_URL'>): Promise<Finding[]> {
  if (!config.REDIS_URL) return [ok('Redis is not used: hints stay in the process, jobs are in PostgreSQL.')]
  const redis = new Redis(config.REDIS_URL, {
    lazyConnect: true,
    connectTimeout: 3_000,
    commandTimeout: 3_000,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return [ok('Redis answers.'), policyFinding(await redis.info('memory'))]
  } catch (error) {
    return [problem(`Redis cannot be used (${reasonOf(error)}). Check REDIS_URL.`)]
  } finally {
    redis.disconnect()
  }
}

/** Managed Redis often forbids CONFIG, but INFO says it, too. */
function policyFinding(info: string): Finding {
  const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1]
  if (policy === 'noeviction') return ok('Redis keeps what it was given (maxmemory-policy noeviction).')
  return warning(`Redis has maxmemory-policy ${policy ?? 'unknown'}: when memory runs short it drops jobs. Set noeviction.`)
}
