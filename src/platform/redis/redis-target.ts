export interface RedisAddress {
  host: string
  port: number
}

/** How the Redis servers themselves are logged in to; sentinels may have a password of their own. */
export interface RedisLogin {
  username?: string
  password?: string
  db: number
  tls: boolean
}

/** What REDIS_URL and REDIS_MODE describe. */
export type RedisTarget =
  | { mode: 'single'; node: RedisAddress; login: RedisLogin }
  | { mode: 'sentinel'; sentinels: RedisAddress[]; name: string; sentinelPassword?: string; login: RedisLogin }
  | { mode: 'cluster'; nodes: RedisAddress[]; login: RedisLogin }

/** The part of the configuration that is about Redis. Not taken from there, as its schema uses this file. */
export interface RedisSettings {
  REDIS_URL?: string | undefined
  REDIS_MODE: 'single' | 'sentinel' | 'cluster'
  REDIS_SENTINEL_NAME: string
  REDIS_SENTINEL_PASSWORD?: string | undefined
}

const PORT = { single: 6379, cluster: 6379, sentinel: 26379 } as const

/** Undefined without REDIS_URL. User, password and database are those of the first address; the settings were checked before. */
export function redisTarget(config: RedisSettings): RedisTarget | undefined {
  if (!config.REDIS_URL) return undefined
  const urls = splitRedisUrls(config.REDIS_URL).map((url) => new URL(url))
  const [first] = urls
  if (!first) return undefined
  const { REDIS_MODE: mode, REDIS_SENTINEL_PASSWORD: sentinelPassword } = config
  const nodes = urls.map((url) => ({ host: hostOf(url), port: Number(url.port || PORT[mode]) }))
  const login = loginOf(first)
  if (mode === 'cluster') return { mode, nodes, login }
  if (mode === 'sentinel') {
    return { mode, sentinels: nodes, name: config.REDIS_SENTINEL_NAME, login, ...(sentinelPassword ? { sentinelPassword } : {}) }
  }
  const [node] = nodes
  return node && { mode, node, login }
}

/** `REDIS_URL` has one URL, or several of sentinels or cluster nodes with commas between. */
export function splitRedisUrls(text: string): string[] {
  return text.split(',').map((url) => url.trim())
}

/** What REDIS_URL and REDIS_MODE together do not make sense of, in sentences. */
export function redisContradictions(config: RedisSettings): string[] {
  const target = redisTarget(config)
  if (!target) return config.REDIS_MODE === 'single' ? [] : ['REDIS_MODE is set but REDIS_URL is not.']
  const urls = splitRedisUrls(config.REDIS_URL ?? '').map((url) => new URL(url))
  const found: string[] = []
  if (target.mode === 'single' && urls.length > 1)
    found.push('REDIS_URL has several addresses: set REDIS_MODE to sentinel or cluster, or leave one.')
  if (target.mode === 'cluster' && target.login.db !== 0) found.push('REDIS_URL names a database, but a Redis Cluster has only database 0.')
  if (new Set(urls.map(({ protocol }) => protocol)).size > 1) found.push('REDIS_URL mixes redis:// and rediss://.')
  return found
}

function loginOf({ username, password, pathname, protocol }: URL): RedisLogin {
  return {
    db: Number(pathname.slice(1) || 0),
    tls: protocol === 'rediss:',
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
  }
}

/** Removes the brackets that IPv6 has in a URL, and nowhere else. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1'
}
