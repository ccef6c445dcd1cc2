import { failureOf } from '../postgres/failures.js'
import { isError } from './is-error.js'

/** What the disk says of a file or a folder, and the system of a port: for whoever runs the server, not for who wrote it. */
const SYSTEM = /^(EACCES|EPERM|EEXIST|ENOENT|ENOTDIR|EISDIR|EROFS|ENOSPC|EDQUOT|EADDRINUSE)$/
/** Redis that is away, starts, is a replica or refuses the login; ioredis and Redis say so in words, without a code. */
const REDIS =
  /^(Stream isn't writeable|Connection is (closed|in subscriber mode)|Command timed out|Socket timeout|Reached the max retries per request limit|Failed to refresh slots cache|None of startup nodes is available|All sentinels are unreachable|(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOAUTH|WRONGPASS|NOPERM|OOM|MISCONF|NOREPLICAS) )/

/**
 * Whether an error is one that a program without a mistake meets: something that it needs is away, full or refused. Where in the code it
 * was met helps nobody then, so the log has no stack of it.
 */
export function isExpectedFault(thrown: unknown): boolean {
  if (!isError(thrown)) return false
  const failure = failureOf(thrown)
  if (failure !== undefined && failure !== 'input') return true
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  return SYSTEM.test(code) || REDIS.test(thrown.message) || isExpectedFault(thrown.cause)
}
