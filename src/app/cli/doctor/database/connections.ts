import type { Client } from 'pg'
import type { Config } from '../../../../platform/config/config.js'
import { deploymentBudget, type DeploymentBudget } from '../../../../platform/postgres/connections/budget.js'
import { describe, excessesOf } from '../../../../platform/postgres/connections/fits.js'
import { readConnectionLimits, type ConnectionLimits } from '../../../../platform/postgres/connections/limits.js'
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
