import { randomBytes } from 'node:crypto'
import type { Client } from 'pg'
import { databaseUrl, directDatabaseUrl, type Config } from '../../../../platform/config/config.js'
import { ok, problem, warning, type Finding } from '../finding.js'
import { withSession } from './session.js'

const CLIENTS = 4
const ROUNDS = 6

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

/** Whoever logs in learns the process id of the session. A pooler cannot give its clients that of a server connection they will share. */
function isPooled(url: string): Promise<boolean> {
  return withSession(url, async (client) => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    return rows[0]?.pid !== promisedPid(client)
  })
}

/** `processID` is public in pg, from the protocol's BackendKeyData, but not in its types. */
function promisedPid(client: Client): unknown {
  return 'processID' in client ? client.processID : undefined
}

function examineAbsence({ PG_PREPARE }: Config): Finding[] {
  const direct = ok('DATABASE_URL leads to PostgreSQL itself.')
  if (PG_PREPARE === 'on') return [direct]
  return [direct, warning('PG_PREPARE is off without a pooler: every query is parsed anew. Set it to on.')]
}

async function examinePreparation({ PG_PREPARE, ...config }: Config): Promise<Finding> {
  const tracked = await tracksStatements(databaseUrl(config))
  if (PG_PREPARE === 'off') {
    const hint = tracked ? ' Named statements would work, too: PG_PREPARE=on spares parsing.' : ''
    return ok(`DATABASE_URL leads through a pooler, without named statements.${hint}`)
  }
  if (tracked) return ok('DATABASE_URL leads through a pooler that tracks named statements, or keeps one session for each client.')
  return problem(
    'DATABASE_URL leads through a pooler that loses named statements: queries fail at random. Set PG_PREPARE=off, ' +
      'or use pgbouncer 1.21 or newer with max_prepared_statements.',
  )
}

/**
 * Several clients prepare a statement of the same name and use it again in transactions that overlap, in an order that changes:
 * a pooler that only passes things on mixes up its server connections soon.
 */
async function tracksStatements(url: string): Promise<boolean> {
  const name = `doctor_${randomBytes(6).toString('hex')}`
  try {
    await withSessions(url, CLIENTS, async (clients) => {
      for (let round = 0; round < ROUNDS; round++) {
        const order = [...clients.slice(round % CLIENTS), ...clients.slice(0, round % CLIENTS)]
        await Promise.all(order.map((client) => useInTransaction(client, name)))
      }
    })
    return true
  } catch (error) {
    if (isLostStatement(error)) return false
    throw error
  }
}

async function useInTransaction(client: Client, name: string): Promise<void> {
  await client.query('BEGIN')
  await client.query({ name, text: 'SELECT $1::int', values: [1] })
  await client.query('COMMIT')
}

/** Not there (26000), or there already (42P05). */
function isLostStatement(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '26000' || error.code === '42P05')
}

function withSessions(url: string, count: number, work: (clients: Client[]) => Promise<void>, opened: Client[] = []): Promise<void> {
  if (opened.length === count) return work(opened)
  return withSession(url, (client) => withSessions(url, count, work, [...opened, client]))
}
