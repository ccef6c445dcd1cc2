import type { Client } from 'pg'
import { type Config, databaseUrl, directDatabaseUrl } from '../../../../platform/config/config.js'
import { deploymentBudget, type DeploymentBudget } from '../../../../platform/postgres/connections/budget.js'
import { describe, excessesOf } from '../../../../platform/postgres/connections/check.js'
import { readConnectionLimits, type ConnectionLimits } from '../../../../platform/postgres/connections/limits.js'
import { isPooled, LOSES_STATEMENTS, tracksStatements } from '../../../../platform/postgres/connections/pooler.js'
import { ok, problem, warning, type Finding } from '../finding.js'

/** What the settings promise, against what PostgreSQL allows and what is open right now. */
export async function examineConnections(client: Client, config: Config): Promise<Finding[]> {
  const budget = deploymentBudget(config)
  const limits = await readConnectionLimits(client)
  const excesses = excessesOf(budget, limits, config)
  if (excesses.length > 0) return excesses.map(problem)
  const open = await readOpen(client)
  const findings = [
    ok(
      `This deployment may open ${budget.onPostgres} of ${limits.server} connections (${describe(budget)}); ` +
        `open now: ${open.ours} of this role in this database, ${open.others} others.`,
    ),
    ...examineRoom(budget, limits, open),
  ]
  if (budget.throughPooler)
    findings.push(
      ok(
        `Up to ${budget.onPooler} more go to the pooler. Its own limits are yours to check: its client limit above that, ` +
          'and the sum of its server connections within max_connections.',
      ),
    )
  return findings
}

interface Open {
  ours: number
  others: number
}

/** Neither the doctor itself nor what is no client's counts. */
async function readOpen(client: Client): Promise<Open> {
  const { rows } = await client.query<Open>(
    `SELECT count(*) FILTER (WHERE ours)::int AS ours, count(*) FILTER (WHERE NOT ours)::int AS others
       FROM (SELECT usename = current_user AND datname = current_database() AS ours FROM pg_stat_activity
              WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) a`,
  )
  return rows[0] ?? { ours: 0, others: 0 }
}

/** Behind a pooler its server connections are ours as well, and no setting here says how many. */
function examineRoom({ onPostgres, throughPooler }: DeploymentBudget, { server }: ConnectionLimits, { ours, others }: Open): Finding[] {
  const findings: Finding[] = []
  if (onPostgres + others > server)
    findings.push(
      warning(`Others hold ${others} of ${server} connections, too many for the ${onPostgres} of this deployment. Raise max_connections.`),
    )
  if (ours > onPostgres && !throughPooler)
    findings.push(
      warning(
        `${ours} connections of this role are open, more than these settings explain (${onPostgres}). ` +
          'Set API_NODES and WORKER_NODES to what runs.',
      ),
    )
  return findings
}

/** Whether each address leads where it has to, directly or through a pooler, and named statements survive on the way. */
export async function examinePooler(config: Config): Promise<Finding[]> {
  const pooled = await isPooled(databaseUrl(config))
  const findings = pooled ? [await examinePreparation(config)] : examineAbsence(config)
  const direct = directDatabaseUrl(config)
  if (direct === config.DATABASE_URL ? pooled : await isPooled(direct))
    findings.push(
      problem('DIRECT_DATABASE_URL must lead to PostgreSQL itself: migrations hold a lock in their session, jobs LISTEN in theirs.'),
    )
  return findings
}

function examineAbsence({ PG_PREPARE }: Config): Finding[] {
  const direct = ok('DATABASE_URL leads to PostgreSQL itself.')
  if (PG_PREPARE === 'on') return [direct]
  return [direct, warning('PG_PREPARE is off without a pooler: every query is parsed again. Set it to on.')]
}

async function examinePreparation({ PG_PREPARE, ...config }: Config): Promise<Finding> {
  const tracked = await tracksStatements(databaseUrl(config))
  if (PG_PREPARE === 'off') {
    const hint = tracked ? ' Named statements would work, too: PG_PREPARE=on spares parsing.' : ''
    return ok(`DATABASE_URL leads through a pooler, without named statements.${hint}`)
  }
  if (!tracked) return problem(LOSES_STATEMENTS)
  return ok('DATABASE_URL leads through a pooler that tracks named statements, or keeps one session for each client.')
}
