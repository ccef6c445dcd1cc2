import { ConfigError } from '../platform/config/config.js'
import { isError } from '../platform/observability/is-error.js'
import { ConnectionBudgetError } from '../platform/postgres/connections/check.js'
import { PoolerError } from '../platform/postgres/connections/pooler.js'
import { NoWritableHost } from '../platform/postgres/client/postgres-target.js'
import { MigrationError } from '../platform/postgres/migrate.js'
import { EmbeddedPostgresError } from './embedded/embedded-error.js'

/** Their messages are sentences for the one who runs the server. */
const FOR_OPERATORS = [ConfigError, MigrationError, ConnectionBudgetError, PoolerError, NoWritableHost, EmbeddedPostgresError]

/** Explains to the operator why the server or a command failed. Falls back to the stack. */
export function explainFailure(error: unknown): string {
  if (!isError(error)) return String(error)
  if (FOR_OPERATORS.some((kind) => error instanceof kind)) return error.message
  return explainSystemError(firstOf(error)) ?? error.stack ?? error.message
}

interface SystemError extends Error {
  code?: string
  syscall?: string
  address?: string
  port?: number
  path?: string
}

/** Error codes of node:tls for a certificate chain or host name that fails verification. */
const CERTIFICATE = /^(ERR_TLS_CERT_|CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF))/

function explainSystemError({ code = '', message, syscall, address = '', port = 0, path = '' }: SystemError): string | undefined {
  if (code === 'EADDRINUSE')
    return `Another program listens on ${address}:${port} already. Stop it, or set another PORT or OPERATIONS_PORT.`
  if (code === 'EACCES' && syscall === 'listen')
    return `This user may not listen on port ${port}. Set PORT or OPERATIONS_PORT to one above 1023.`
  const file = explainFileError(code, path)
  if (file !== undefined) return file
  if ((syscall === 'connect' && code !== 'ETIMEDOUT') || code === 'ENOTFOUND') {
    return `PostgreSQL cannot be reached (${code}). Check DATABASE_URL; "npm run cli -- doctor" tells more.`
  }
  if (CERTIFICATE.test(code)) {
    return `PostgreSQL's certificate is not to be trusted (${code}). Check the host name, sslmode and sslrootcert of DATABASE_URL.`
  }
  if (code === 'ENOENT' && syscall === 'open' && /\.(crt|cert|cer|pem|key)$/.test(path))
    return `There is no file ${path}. Check sslrootcert, sslcert and sslkey of DATABASE_URL.`
  if (code === 'ETIMEDOUT' || /timeout expired/.test(message))
    return 'PostgreSQL does not answer. Check the host of DATABASE_URL, the network to it, and whether it runs or is stopped.'
  if (code === '25006') return 'PostgreSQL takes no writes: it is a standby, or was demoted. DATABASE_URL must lead to the primary.'
  if (/^(28|3D)/.test(code)) return `PostgreSQL refuses this user, password or database (${code}). Check DATABASE_URL.`
  if (code === '53300')
    return 'PostgreSQL has no connection left for us (53300). "npm run cli -- doctor" tells who holds them, once one is free.'
  return undefined
}

/** What the disk says: usually of DATA_DIR, or of a file that a setting names. */
function explainFileError(code: string, path: string): string | undefined {
  const place = path === '' ? 'a file of this server' : path
  if (code === 'ENOSPC' || code === 'EDQUOT') return `There is no room left on the disk for ${place} (${code}).`
  if (path === '') return undefined
  if (code === 'EACCES' || code === 'EPERM')
    return `This user may not use ${path} (${code}). Check its owner and mode, or the setting that names it (DATA_DIR, or a certificate of DATABASE_URL).`
  if (code === 'EROFS') return `${path} is on a file system that takes no writes (EROFS). Set DATA_DIR to a folder that can be written.`
  if (code === 'EEXIST' || code === 'ENOTDIR')
    return `${path} is needed as a folder, and it or a part of it is a file (${code}). Check DATA_DIR.`
  return undefined
}

/** Connecting to a host with several addresses fails with an AggregateError; its first error is enough. */
function firstOf(error: Error): SystemError {
  if ('errors' in error && Array.isArray(error.errors) && isError(error.errors[0])) return error.errors[0]
  return error
}
