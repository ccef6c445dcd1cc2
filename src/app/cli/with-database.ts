import type { Pool } from 'pg'
import { loadConfig, databaseUrl, type Config } from '../../platform/config/config.js'
import { createPool } from '../../platform/postgres/sql.js'

/** For commands that work on a deployment's database; the embedded one is reached by its running server's DATABASE_URL only. */
export async function withDatabase<T>(work: (pool: Pool, config: Config) => Promise<T>): Promise<T> {
  const config = loadConfig(process.env)
  const pool = createPool(databaseUrl(config), { max: 2, prepare: config.PG_PREPARE === 'on' })
  try {
    return await work(pool, config)
  } finally {
    await pool.end()
  }
}
