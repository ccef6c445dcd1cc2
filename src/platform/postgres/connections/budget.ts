import type { Config } from '../../config/config.js'

/** Prisma serves cold paths only, so it gets few connections of its own. */
export const PRISMA_CONNECTIONS = 3
/** Readiness has one of its own, so that a busy pool does not look like a database that is gone. */
const READINESS_CONNECTIONS = 1
/** BullMQ on PostgreSQL (job-backend.ts): a pool for the one who adds jobs, another for the one who runs them, and its LISTEN client. */
const JOB_QUEUE_CONNECTIONS = 3
const JOB_WORKER_CONNECTIONS = 3 + 1
/** The embedded mode's claim to its data folder. */
const OWNER_CONNECTIONS = 1
/** Migrations, `doctor` and the other commands of the operator, one of them at a time. */
export const OPERATOR_CONNECTIONS = 2

type Settings = Pick<
  Config,
  'DATABASE_URL' | 'DIRECT_DATABASE_URL' | 'REDIS_URL' | 'ROLE' | 'PG_POOL_API' | 'PG_POOL_WORKER' | 'API_NODES' | 'WORKER_NODES'
> & { embedded?: boolean }
type Role = Config['ROLE']

/** What may be open at most, by the address it goes to. They are the same server unless a pooler stands before one of them. */
export interface ConnectionBudget {
  /** Connections through DATABASE_URL. */
  pooled: number
  /** Connections through DIRECT_DATABASE_URL. */
  direct: number
}

/** The number of processes of one role, and the connections that each may open. */
export interface RoleBudget extends ConnectionBudget {
  role: Role
  nodes: number
}

export interface DeploymentBudget {
  roles: RoleBudget[]
  /** True if DATABASE_URL leads elsewhere than DIRECT_DATABASE_URL: its connections are then the pooler's. */
  throughPooler: boolean
  /** What PostgreSQL itself must allow us. */
  onPostgres: number
  /** What the pooler must allow us; 0 without one. */
  onPooler: number
}

/** The connections of one process's `pg.Pool`; `both` answers clients, so it counts as an api process. */
export function poolSize(config: Pick<Config, 'ROLE' | 'PG_POOL_API' | 'PG_POOL_WORKER'>): number {
  return config.ROLE === 'worker' ? config.PG_POOL_WORKER : config.PG_POOL_API
}

/** The connections that one process with these settings may open: `pooled` by DATABASE_URL, `direct` by DIRECT_DATABASE_URL. */
export function processBudget(config: Settings): ConnectionBudget {
  const jobs = config.REDIS_URL ? 0 : JOB_QUEUE_CONNECTIONS + (config.ROLE === 'api' ? 0 : JOB_WORKER_CONNECTIONS)
  return { pooled: poolSize(config) + PRISMA_CONNECTIONS + READINESS_CONNECTIONS, direct: jobs + (config.embedded ? OWNER_CONNECTIONS : 0) }
}

/**
 * The whole deployment as this process's settings describe it. The process itself counts, even where WORKER_NODES says 0. A worker
 * takes the others for api processes; where they are `both`, theirs is the stricter count.
 */
export function deploymentBudget(config: Settings): DeploymentBudget {
  const front: Role = config.ROLE === 'both' ? 'both' : 'api'
  const workers = Math.max(config.WORKER_NODES, config.ROLE === 'worker' ? 1 : 0)
  const roles = [roleBudget(config, front, config.API_NODES), roleBudget(config, 'worker', workers)].filter(({ nodes }) => nodes > 0)
  const pooled = sum(roles.map((role) => role.nodes * role.pooled))
  const direct = sum(roles.map((role) => role.nodes * role.direct)) + OPERATOR_CONNECTIONS
  const throughPooler = config.DIRECT_DATABASE_URL !== undefined && config.DIRECT_DATABASE_URL !== config.DATABASE_URL
  return { roles, throughPooler, onPostgres: throughPooler ? direct : pooled + direct, onPooler: throughPooler ? pooled : 0 }
}

function roleBudget(config: Settings, role: Role, nodes: number): RoleBudget {
  return { role, nodes, ...processBudget({ ...config, ROLE: role }) }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
