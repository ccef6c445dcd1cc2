import type { Pool } from 'pg'
import { databaseUrl, directDatabaseUrl, loadConfig, type Config } from '../../platform/config/config.js'
import { createLog } from '../../platform/observability/log.js'
import { migrate } from '../../platform/postgres/migrate.js'
import { createPool } from '../../platform/postgres/sql.js'
import { reachDatabase } from '../embedded-settings.js'

/** One command of the operator's tool. It prints to standard output and throws a CliError for what the operator can fix. */
export interface Command {
  /** The words of the command, e.g. `accounts create`. */
  readonly name: string
  /** Arguments and a sentence. */
  readonly usage: string
  run(args: readonly string[]): Promise<void>
}

/** A plain sentence for the operator; the process ends with 1. */
export class CliError extends Error {}

/** One line to standard output, where results go; errors go to standard error. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** For commands that work on a deployment's database: PostgreSQL at DATABASE_URL, or the embedded one in DATA_DIR. */
export async function withDatabase<T>(work: (pool: Pool, config: Config) => Promise<T>): Promise<T> {
  const { config, stopDatabase } = await reachDatabase(loadConfig(process.env), createLog({ LOG_LEVEL: 'silent' }))
  try {
    // Started by us, it may be new.
    if (stopDatabase) await migrate(directDatabaseUrl(config))
    return await withPool(config, work)
  } finally {
    await stopDatabase?.()
  }
}

async function withPool<T>(config: Config, work: (pool: Pool, config: Config) => Promise<T>): Promise<T> {
  const pool = createPool(databaseUrl(config), { max: 2, prepare: config.PG_PREPARE === 'on' })
  try {
    return await work(pool, config)
  } finally {
    await pool.end()
  }
}
