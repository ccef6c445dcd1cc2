import { Client } from 'pg'
import type { Logger } from 'pino'
import { directDatabaseUrl, type Config } from '../../config/config.js'
import { deploymentBudget } from './budget.js'
import { excessesOf } from './fits.js'
import { readConnectionLimits } from './limits.js'

/** The deployment may open more connections than PostgreSQL gives it. The message is for an operator. */
export class ConnectionBudgetError extends Error {}

/**
 * Compares what the settings promise with what PostgreSQL allows, before anything relies on it: too many connections show
 * under load only, on whichever node comes last.
 */
export async function checkConnectionBudget(config: Config & { embedded?: boolean }, log: Logger): Promise<void> {
  const budget = deploymentBudget(config)
  const client = new Client({ connectionString: directDatabaseUrl(config), application_name: 'microchat-start' })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const limits = await readConnectionLimits(client)
    const excesses = excessesOf(budget, limits, config)
    if (excesses.length > 0) throw new ConnectionBudgetError(excesses.join('\n'))
    log.info({ connections: budget.onPostgres, limit: limits.server }, 'connections to PostgreSQL are within its limits')
  } finally {
    await client.end()
  }
  if (budget.throughPooler) {
    log.info({ connections: budget.onPooler }, 'DATABASE_URL leads to a pooler, whose limits are not checked: see docs/operator-guide.md')
  }
}
