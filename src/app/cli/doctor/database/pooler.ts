import { databaseUrl, directDatabaseUrl, type Config } from '../../../../platform/config/config.js'
import { isPooled, LOSES_STATEMENTS, tracksStatements } from '../../../../platform/postgres/connections/pooler.js'
import { ok, problem, warning, type Finding } from '../finding.js'

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
