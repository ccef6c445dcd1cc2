import { z } from 'zod'
import { redisContradictions } from '../redis/redis-target.js'
import { ConfigSchema } from './config-schema.js'

/** The checked settings of one server; durations in milliseconds, sizes in bytes. */
export type Config = z.infer<typeof ConfigSchema>
export const CONFIG = Symbol('CONFIG')

/** Settings that do not make sense; one plain sentence per key, and never a value (it may be a secret). */
export class ConfigError extends Error {
  constructor(readonly sentences: string[]) {
    super(`The configuration is not usable:\n${sentences.map((sentence) => `  - ${sentence}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/** Reads the environment. An empty variable counts as unset, as Compose files produce those. */
export function loadConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.keys(ConfigSchema.shape).map((key) => [key, environment[key] === '' ? undefined : environment[key]]),
  )
  const result = ConfigSchema.safeParse(given)
  if (!result.success) throw new ConfigError(result.error.issues.map(sentence))
  const contradictions = contradictionsIn(result.data, environment['NODE_ENV'])
  if (contradictions.length > 0) throw new ConfigError(contradictions)
  return result.data
}

function sentence(issue: z.core.$ZodIssue): string {
  const key = issue.path.join('.')
  if (issue.code === 'invalid_value') return `${key} must be one of ${issue.values.map(String).join(', ')}.`
  return `${key} ${/^(must|is) /.test(issue.message) ? issue.message : `is not valid: ${issue.message}`}.`
}

function contradictionsIn(config: Config, nodeEnvironment: string | undefined): string[] {
  const found: string[] = []
  if (config.CONFORMANCE === 'on' && nodeEnvironment === 'production')
    found.push('CONFORMANCE is for tests: it lets anyone act for anyone, and does not go with NODE_ENV=production.')
  if (config.DATABASE_URL && !config.SERVER_SECRET)
    found.push('SERVER_SECRET is required with DATABASE_URL (make one: openssl rand -base64 32).')
  if (config.OPERATIONS_PORT !== undefined && config.OPERATIONS_PORT !== 0 && config.OPERATIONS_PORT === config.PORT)
    found.push('OPERATIONS_PORT must be another port than PORT.')
  if (config.OPERATIONS_HOST !== undefined && config.OPERATIONS_PORT === undefined)
    found.push('OPERATIONS_HOST is set but OPERATIONS_PORT is not.')
  if (config.DIRECT_DATABASE_URL && !config.DATABASE_URL) found.push('DIRECT_DATABASE_URL is set but DATABASE_URL is not.')
  if (!config.DATABASE_URL && config.ROLE !== 'both') found.push('ROLE must be both in embedded mode (without DATABASE_URL).')
  if (config.FEDERATION !== 'off' && !config.PUBLIC_URL && !config.FEDERATION_URL && /^(0\.0\.0\.0|::|\[::\])$/.test(config.HOST))
    found.push('FEDERATION needs PUBLIC_URL or FEDERATION_URL, which peers sign their requests for, as HOST is no address of one server.')
  if ((config.FEDERATION_TLS_CERT === undefined) !== (config.FEDERATION_TLS_KEY === undefined))
    found.push('FEDERATION_TLS_CERT and FEDERATION_TLS_KEY go together.')
  if ((config.FEDERATION_DRAFT_PORT ?? config.FEDERATION_DRAFT_PEERS) !== undefined && config.FEDERATION_TLS_CERT === undefined)
    found.push('FEDERATION_DRAFT_PORT and FEDERATION_DRAFT_PEERS need FEDERATION_TLS_CERT: peers of the draft ask for a certificate.')
  if (config.FEDERATION_DRAFT_URL !== undefined && !config.FEDERATION_DRAFT_URL.startsWith('https:'))
    found.push('FEDERATION_DRAFT_URL must begin with https:.')
  if ((config.X509_CA_CERTIFICATE === undefined) !== (config.X509_CA_KEY === undefined))
    found.push('X509_CA_CERTIFICATE and X509_CA_KEY go together.')
  if (config.PASSKEY_ATTESTATION === 'required' && config.PASSKEY_ATTESTATION_ROOTS === undefined)
    found.push('PASSKEY_ATTESTATION=required needs PASSKEY_ATTESTATION_ROOTS: without them an authenticator could attest itself.')
  if (config.PASSKEY_ATTESTATION === 'none' && (config.PASSKEY_ATTESTATION_ROOTS ?? config.PASSKEY_AAGUIDS) !== undefined)
    found.push('PASSKEY_ATTESTATION_ROOTS and PASSKEY_AAGUIDS are for PASSKEY_ATTESTATION=required.')
  found.push(...redisContradictions(config))
  if (config.BYTES_IN_FLIGHT < 4 * config.MAX_BODY_BYTES) found.push('BYTES_IN_FLIGHT is less than four times MAX_BODY_BYTES.')
  const largest = Math.max(config.MAX_COMMIT_BYTES, config.MAX_TREE_BYTES, config.MAX_MESSAGE_BYTES)
  if (config.MAX_BODY_BYTES < largest)
    found.push('MAX_BODY_BYTES is smaller than one of MAX_COMMIT_BYTES, MAX_TREE_BYTES and MAX_MESSAGE_BYTES.')
  return found
}

/** Where the facts are. The embedded mode fills it in before anything asks. */
export function databaseUrl(config: Pick<Config, 'DATABASE_URL'>): string {
  if (!config.DATABASE_URL) throw new ConfigError(['DATABASE_URL is required here.'])
  return config.DATABASE_URL
}

/** The same without a pooler in between, for what needs a session: migrations, LISTEN, advisory locks. */
export function directDatabaseUrl(config: Pick<Config, 'DATABASE_URL' | 'DIRECT_DATABASE_URL'>): string {
  return config.DIRECT_DATABASE_URL ?? databaseUrl(config)
}
