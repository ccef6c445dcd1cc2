import type { Logger } from 'pino'
import { directDatabaseUrl, type Config } from '../../config/config.js'
import { PostgresClient } from '../client/postgres-client.js'
import { PostgresTarget } from '../client/postgres-target.js'
import type { Sql } from '../sql.js'
import { deploymentBudget, type DeploymentBudget, type RoleBudget, OPERATOR_CONNECTIONS } from './budget.js'
import { readConnectionLimits, type ConnectionLimits } from './limits.js'

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

type Settings = Pick<Config, 'PG_POOL_API' | 'PG_POOL_WORKER' | 'API_NODES' | 'WORKER_NODES'>

/** @returns why PostgreSQL would refuse connections that the settings promise, one sentence for each limit; none if all fit */
export function excessesOf(budget: DeploymentBudget, limits: ConnectionLimits, config: Settings): string[] {
  const { server, maxConnections, reserved, role, database } = limits
  const found: string[] = []
  const exceeds = (limit: number | undefined): limit is number => limit !== undefined && budget.onPostgres > limit
  const tell = (limit: number, where: string, remedy: string) =>
    found.push(
      `PostgreSQL gives this deployment ${limit} connections (${where}), and it may open ${budget.onPostgres}: ${describe(budget)}. ` +
        `${reduction(budget, config)}, or ${remedy}.`,
    )
  if (exceeds(server)) tell(server, `max_connections ${maxConnections} less ${reserved} reserved`, 'raise max_connections')
  if (exceeds(role.limit)) tell(role.limit, `role ${role.name}`, `raise ALTER ROLE ${role.name} CONNECTION LIMIT`)
  if (exceeds(database.limit)) tell(database.limit, `database ${database.name}`, `raise ALTER DATABASE ${database.name} CONNECTION LIMIT`)
  return found
}

/** "3 api processes with 14 each, 2 worker processes with 9 each, and 2 for migrations and commands" */
export function describe({ roles, throughPooler }: DeploymentBudget): string {
  const own = (role: RoleBudget) => role.direct + (throughPooler ? 0 : role.pooled)
  const parts = roles.map(
    (role) => `${role.nodes} ${NAMES[role.role]} ${role.nodes === 1 ? 'process' : 'processes'} with ${own(role)} each`,
  )
  return `${parts.join(', ')}, and ${OPERATOR_CONNECTIONS} for migrations and commands`
}

const NAMES = { api: 'api', worker: 'worker', both: 'api and worker' } as const

/** Behind a pooler what remains are the jobs on PostgreSQL, which no pool size changes. */
function reduction({ throughPooler }: DeploymentBudget, config: Settings): string {
  const nodes = `API_NODES (${config.API_NODES}) or WORKER_NODES (${config.WORKER_NODES})`
  if (throughPooler) return `Set REDIS_URL, so that jobs leave PostgreSQL, lower ${nodes}`
  return `Lower PG_POOL_API (${config.PG_POOL_API}), PG_POOL_WORKER (${config.PG_POOL_WORKER}), ${nodes}, put a pooler in between`
}
