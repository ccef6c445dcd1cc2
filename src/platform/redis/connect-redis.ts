import { Cluster, type ClusterOptions, type Redis } from 'ioredis'
import { EndingRedis } from './ending-redis.js'
import type { RedisAddress, RedisLogin, RedisTarget } from './redis-target.js'

/** Both understand every command that we use. */
export type RedisClient = Redis | Cluster

/** Milliseconds. */
export interface RedisTimeouts {
  commandTimeout?: number
  socketTimeout?: number
}
type NodeOptions = Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'>

/** What a command does while Redis is away: `fail-fast` fails at once, `wait` waits for it, however long. */
export type Patience = 'wait' | 'fail-fast'

/**
 * A Redis that hangs counts as away: a command that waits for it makes clients wait. The socket's time-out also ends a
 * connection whose other end vanished without a word.
 */
const FAIL_FAST = { maxRetriesPerRequest: 0, commandTimeout: 1_000, socketTimeout: 1_000, connectTimeout: 2_000 } as const
/** Not for commands: those of a worker block on purpose. `null`: an interrupted one is sent again after reconnecting. */
const WAIT = { maxRetriesPerRequest: null, connectTimeout: 5_000 } as const

/** Subscribers subscribe on every `ready`: were ioredis to do it, a refusal would be an unhandled rejection and end the process. */
const COMMON = { autoResubscribe: false } as const

const RETRY_CEILING_MS = 2_000
const SENTINEL_TIMEOUT_MS = 1_000
const SLOTS_REFRESH_MS = 5_000
const FAIL_FAST_REDIRECTIONS = 2

/** One connection (in a cluster: one to each node) that comes back by itself. It needs a listener for `error`. */
export function connectRedis(target: RedisTarget, patience: Patience, overrides: RedisTimeouts = {}): RedisClient {
  const options = { ...COMMON, ...(patience === 'wait' ? WAIT : FAIL_FAST), ...loginOptions(target.login), ...overrides }
  const enableOfflineQueue = patience === 'wait'
  if (target.mode === 'cluster') return connectCluster(target.nodes, target.login, enableOfflineQueue, options)
  const common = { ...options, enableOfflineQueue, retryStrategy: retryDelay, reconnectOnError: isDemoted }
  if (target.mode === 'single') return new EndingRedis({ ...common, ...target.node })
  return new EndingRedis({
    ...common,
    sentinels: target.sentinels,
    name: target.name,
    sentinelRetryStrategy: retryDelay,
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    // Told of a failover, it leaves the old master without waiting for it to die.
    failoverDetector: true,
    ...(target.sentinelPassword === undefined ? {} : { sentinelPassword: target.sentinelPassword }),
    ...(target.login.tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
  })
}

function connectCluster(nodes: RedisAddress[], login: RedisLogin, enableOfflineQueue: boolean, redisOptions: NodeOptions): Cluster {
  return new Cluster(nodes, {
    redisOptions,
    enableOfflineQueue,
    clusterRetryStrategy: retryDelay,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    ...(enableOfflineQueue ? {} : { maxRedirections: FAIL_FAST_REDIRECTIONS }),
    // A certificate is for a name: do not turn names into addresses.
    ...(login.tls ? { dnsLookup: (name, callback) => callback(null, name) } : {}),
  })
}

function loginOptions({ tls, ...login }: RedisLogin) {
  return tls ? { ...login, tls: {} } : login
}

/** Milliseconds until the next attempt. */
function retryDelay(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 6), RETRY_CEILING_MS)
}

/** After a failover the old master is a replica that refuses to write: ask again where the master is. */
function isDemoted(error: Error): boolean {
  return error.message.startsWith('READONLY')
}
