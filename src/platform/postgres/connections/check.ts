import type { Logger } from 'pino'
import { directDatabaseUrl, type Config } from '../../config/config.js'
import { deploymentBudget } from './budget.js'
import { PostgresClient } from '../client/postgres-client.js'
import { PostgresTarget } from '../client/postgres-target.js'
import type { Sql } from '../sql.js'
import { excessesOf } from './fits.js'
import { readConnectionLimits } from './limits.js'

/** The deployment may open more connections than PostgreSQL gives it. The message is for an operator. */
export class ConnectionBudgetError extends Error {}

/** One connection past any pooler, for what is looked at before the server starts; closed whatever happens. */
export async function withStartConnection<T>(config: Config, work: (client: Sql) => Promise<T>): Promise<T> {
  const target = new PostgresTarget(directDatabaseUrl(config))
  const client = await PostgresClient.open({ target, application_name: 'microchat-start' })
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/**
 * Compares what the settings promise with what PostgreSQL allows, before anything relies on it: too many connections show
 * under load only, on whichever node comes last.
 */
export async function checkConnectionBudget(sql: Sql, config: Config & { embedded?: boolean }, log: Logger): Promise<void> {
  const budget = deploymentBudget(config)
  const limits = await readConnectionLimits(sql)
  const excesses = excessesOf(budget, limits, config)
  if (excesses.length > 0) throw new ConnectionBudgetError(excesses.join('\n'))
  log.info({ connections: budget.onPostgres, limit: limits.server }, 'connections to PostgreSQL are within its limits')
  if (budget.throughPooler) {
    log.info({ connections: budget.onPooler }, 'DATABASE_URL leads to a pooler, whose limits are not checked: see docs/operator-guide.md')
  }
}
