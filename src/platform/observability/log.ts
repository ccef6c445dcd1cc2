import { pino, type DestinationStream, type Logger } from 'pino'
import type { Config } from '../config/config.js'
import { failureOf } from '../postgres/failures.js'
import { isError } from './is-error.js'
import { prettyLine } from './pretty-line.js'

export const LOG = Symbol('LOG')

/** Members that never reach a log line, at the top or one level down, whatever a caller passes. */
const REDACTED = [
  'authorization',
  'dpop',
  'cookie',
  'token',
  'access_token',
  'refresh_token',
  'password',
  'secret',
  'nonce',
  'proof',
  'invite_code',
  'join_code',
  'body',
  'payload',
  'bytes',
  'ciphertext',
  'message_bytes',
  'commit',
  'proposal',
  'welcome',
  'welcomes',
  'group_info',
  'ratchet_tree',
  'key_package',
  'key_packages',
  'DATABASE_URL',
  'DIRECT_DATABASE_URL',
  'REDIS_URL',
  'SERVER_SECRET',
]

type LogSettings = Pick<Config, 'LOG_LEVEL'> & Partial<Pick<Config, 'LOG_FORMAT'>>

/** Lines for people where a person is likely to read them. */
export function isPretty({ LOG_FORMAT }: Partial<Pick<Config, 'LOG_FORMAT'>>): boolean {
  return LOG_FORMAT === undefined ? process.stdout.isTTY : LOG_FORMAT === 'pretty'
}

/** Lines on standard output, unless a destination is given. */
export function createLog(config: LogSettings, given?: DestinationStream): Logger {
  const destination = isPretty(config) ? prettyOn(given ?? process.stdout) : given
  const options = {
    level: config.LOG_LEVEL,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    serializers: { err: describeError },
  }
  return destination ? pino(options, destination) : pino(options)
}

function prettyOn(out: DestinationStream): DestinationStream {
  return { write: (line) => out.write(prettyLine(line)) }
}

/**
 * An error without what it drags along: pg puts rows into `detail`, `where` and `parameters`,
 * and a message of zod or pg may quote input, so it is cut. The stack is left out where the fault is not the program's.
 */
export function describeError(thrown: unknown): Record<string, unknown> {
  if (!isError(thrown)) return { type: typeof thrown }
  const code = 'code' in thrown ? { code: thrown.code } : {}
  const cause = isError(thrown.cause) ? { cause: describeError(thrown.cause) } : {}
  const stack = isExpectedFault(thrown) ? {} : { stack: framesOf(thrown) }
  return { type: thrown.name, message: thrown.message.slice(0, 300), ...code, ...stack, ...cause }
}

/** What the disk says of a file or a folder, and the system of a port: for the one who runs the server, not for who wrote it. */
const SYSTEM = /^(EACCES|EPERM|EEXIST|ENOENT|ENOTDIR|EISDIR|EROFS|ENOSPC|EDQUOT|EADDRINUSE)$/
/** Redis that is away, starts, is a replica or refuses the login; ioredis and Redis say so in words, without a code. */
const REDIS =
  /^(Stream isn't writeable|Connection is (closed|in subscriber mode)|Command timed out|Socket timeout|Reached the max retries per request limit|Failed to refresh slots cache|None of startup nodes is available|All sentinels are unreachable|(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOAUTH|WRONGPASS|NOPERM|OOM|MISCONF|NOREPLICAS) )/

/**
 * Whether an error is one that a program without a mistake meets: something that it needs is away, full or refused. Where in the code it
 * was met helps nobody then, so the log has no stack of it.
 */
function isExpectedFault(thrown: unknown): boolean {
  if (!isError(thrown)) return false
  const failure = failureOf(thrown)
  if (failure !== undefined && failure !== 'input') return true
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  return SYSTEM.test(code) || REDIS.test(thrown.message) || isExpectedFault(thrown.cause)
}

function framesOf({ stack = '' }: Error): string[] {
  const lines = stack.split('\n').map((line) => line.trim())
  return lines.filter((line) => line.startsWith('at ')).slice(0, 12)
}
