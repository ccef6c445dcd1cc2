import type { Client } from 'pg'
import { databaseUrl, directDatabaseUrl, type Config } from '../../../../platform/config/config.js'
import { examine, problem, reasonOf, type Diagnosis, type Finding } from '../finding.js'
import { examineBackups, examineDurability, examineServer, examineReplication, examineMaintenance } from './server.js'
import { examineConnections, examinePooler } from './connections.js'
import { examineFacts, examineFederation, examineJoins, examineMigrations, examineDomain, examineSealedKeys } from './contents.js'
import { withSession } from './session.js'
import { examineOwnAuthority } from '../x509.js'

type Examination = (client: Client, config: Config) => Promise<Finding[]>

/** What the server's own connections see, so it is asked where they go. */
const POOLED: Record<string, Examination> = { postgres: examineServer }

/** What PostgreSQL itself says; in our own tables last, as they may be missing. */
const DIRECT: Record<string, Examination> = {
  connections: examineConnections,
  durability: examineDurability,
  replication: examineReplication,
  backups: examineBackups,
  maintenance: examineMaintenance,
  migrations: examineMigrations,
  domain: examineDomain,
  'sealed keys': examineSealedKeys,
  x509: examineOwnAuthority,
  federation: examineFederation,
  'external joins': examineJoins,
  facts: examineFacts,
}

/**
 * Every examination of PostgreSQL in its order; none with the embedded one. Ends early where the rest would fail for the same reason: the
 * server cannot be reached, or its tables are not there.
 */
export async function examinePostgres(config: Config): Promise<Diagnosis[]> {
  if (!config.DATABASE_URL) return []
  const pooled = await examineThrough(databaseUrl(config), 'DATABASE_URL', POOLED, config)
  if (pooled.some(({ grade }) => grade === 'problem')) return pooled
  const pooler = await examine('pooler', () => examinePooler(config))
  return [...pooled, ...pooler, ...(await examineThrough(directDatabaseUrl(config), 'DIRECT_DATABASE_URL', DIRECT, config))]
}

async function examineThrough(url: string, name: string, examinations: Record<string, Examination>, config: Config): Promise<Diagnosis[]> {
  const found: Diagnosis[] = []
  try {
    await withSession(url, async (client) => {
      for (const [topic, examination] of Object.entries(examinations)) {
        const findings = await examine(topic, () => examination(client, config))
        found.push(...findings)
        if (topic === 'migrations' && findings.some(({ grade }) => grade !== 'ok')) break
      }
    })
  } catch (error) {
    const text = `PostgreSQL cannot be used (${reasonOf(error)}). Check ${name} and that the server runs.`
    found.push({ topic: 'postgres', ...problem(text) })
  }
  return found
}
