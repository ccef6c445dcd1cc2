import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../platform/config/config.js'

export interface EmbeddedSettings {
  config: Config
  stopDatabase?: () => Promise<void>
}

/** Without DATABASE_URL: an own PostgreSQL in DATA_DIR, and a secret next to it. With it: nothing to do. */
export async function embeddedSettings(config: Config, log: Logger): Promise<EmbeddedSettings> {
  if (config.DATABASE_URL) return { config }
  const secret = config.SERVER_SECRET ?? (await ownSecret(config.DATA_DIR))
  const { startEmbeddedPostgres } = await import('./embedded/embedded-postgres.js')
  const postgres = await startEmbeddedPostgres(config)
  log.info('embedded PostgreSQL is up')
  return { config: { ...config, DATABASE_URL: postgres.url, SERVER_SECRET: secret }, stopDatabase: () => postgres.stop() }
}

/** For the command line: the database of a running server is shared with it, else it is started for as long as it takes. */
export async function reachDatabase(config: Config, log: Logger): Promise<EmbeddedSettings> {
  if (config.DATABASE_URL) return { config }
  const { findEmbeddedPostgres } = await import('./embedded/embedded-postgres.js')
  const running = await findEmbeddedPostgres(config)
  if (!running) return embeddedSettings(config, log)
  return { config: { ...config, DATABASE_URL: running, SERVER_SECRET: config.SERVER_SECRET ?? (await ownSecret(config.DATA_DIR)) } }
}

/** Made once and kept: sealed keys in the database are worth nothing without it. */
async function ownSecret(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true })
  const file = join(dataDir, 'server-secret')
  const secret = randomBytes(32).toString('base64')
  try {
    await writeFile(file, `${secret}\n`, { mode: 0o600, flag: 'wx' })
    return secret
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    return (await readFile(file, 'utf8')).trim()
  }
}
