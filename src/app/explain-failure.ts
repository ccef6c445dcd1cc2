import { ConfigError } from '../platform/config/config.js'
import { isError } from '../platform/observability/is-error.js'
import { ConnectionBudgetError } from '../platform/postgres/connections/check.js'
import { PoolerError } from '../platform/postgres/connections/pooler.js'
import { NoWritableHost } from '../platform/postgres/client/postgres-target.js'
import { MigrationError } from '../platform/postgres/migrate.js'

/** Their messages are sentences for whoever runs the server. */
const FOR_OPERATORS = [ConfigError, MigrationError, ConnectionBudgetError, PoolerError, NoWritableHost]

/** Why the server did not start, in words for whoever started it; a stack only where we know nothing better. */
export function explainFailure(error: unknown): string {
  if (!isError(error)) return String(error)
  if (FOR_OPERATORS.some((kind) => error instanceof kind)) return error.message
  return explainSystemError(rootOf(error)) ?? error.stack ?? error.message
}

interface SystemError extends Error {
  code?: string
  syscall?: string
  address?: string
  port?: number
  path?: string
}

/** What node:tls calls the ways in which a chain or a name does not hold. */
const CERTIFICATE = /^(ERR_TLS_CERT_|CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF))/

function explainSystemError({ code = '', message, syscall, address = '', port = 0, path = '' }: SystemError): string | undefined {
  if (code === 'EADDRINUSE')
    return `Another program listens on ${address}:${port} already. Stop it, or set another PORT or OPERATIONS_PORT.`
  if (code === 'EACCES' && syscall === 'listen')
    return `This user may not listen on port ${port}. Set PORT or OPERATIONS_PORT to one above 1023.`
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

/** A host with several addresses fails once for each: one of them says enough. */
function rootOf(error: Error): SystemError {
  if ('errors' in error && Array.isArray(error.errors) && isError(error.errors[0])) return error.errors[0]
  return error
}
