import type { Config } from '../../config/config.js'
import type { DeploymentBudget, RoleBudget } from './budget.js'
import { OPERATOR_CONNECTIONS } from './budget.js'
import type { ConnectionLimits } from './limits.js'

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
