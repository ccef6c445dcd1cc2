import { randomBytes } from 'node:crypto'
import type { Client } from 'pg'
import type { Logger } from 'pino'
import { databaseUrl, type Config } from '../../config/config.js'
import { PostgresClient } from '../client/postgres-client.js'
import { PostgresTarget } from '../client/postgres-target.js'
import { deploymentBudget } from './budget.js'

const CLIENTS = 4
const ROUNDS = 6

/** A pooler between us and PostgreSQL cannot do what the settings rely on. The message is for an operator. */
export class PoolerError extends Error {}

export const LOSES_STATEMENTS =
  'DATABASE_URL leads through a pooler that loses named statements: queries fail at random. Set PG_PREPARE=off, ' +
  'or use pgbouncer 1.21 or newer with max_prepared_statements.'

/** Found out at start, because it shows as answers of 500 under load only. A pooler that cannot be asked now is for readiness to report. */
export async function checkPooler(config: Config, log: Logger): Promise<void> {
  if (config.PG_PREPARE === 'off' || !deploymentBudget(config).throughPooler) return
  const tracked = await tracksStatements(databaseUrl(config)).catch((error: unknown) => {
    log.warn({ err: error }, 'the pooler of DATABASE_URL could not be asked')
    return true
  })
  if (!tracked) throw new PoolerError(LOSES_STATEMENTS)
}

/** Compares the process id that a client gets at login with that of its session: a pooler's clients share sessions. */
export function isPooled(url: string): Promise<boolean> {
  return withClients(url, 1, async ([client]) => {
    const { rows = [] } = (await client?.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')) ?? {}
    return rows[0]?.pid !== promisedPid(client)
  })
}

/** `processID` is public in pg, from the protocol's BackendKeyData, but not in its types. */
function promisedPid(client: Client | undefined): unknown {
  return client && 'processID' in client ? client.processID : undefined
}

/**
 * Several clients prepare a statement of the same name and use it again in transactions that overlap, in an order that changes:
 * a pooler that only passes things on mixes up its server connections soon.
 */
export async function tracksStatements(url: string): Promise<boolean> {
  const name = `probe_${randomBytes(6).toString('hex')}`
  try {
    return await withClients(url, CLIENTS, async (clients) => {
      for (let round = 0; round < ROUNDS; round++) {
        const order = [...clients.slice(round % CLIENTS), ...clients.slice(0, round % CLIENTS)]
        await Promise.all(order.map((client) => useInTransaction(client, name)))
      }
      return true
    })
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

/** Whether a prepared statement is missing (26000) or exists already (42P05). */
function isLostStatement(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '26000' || error.code === '42P05')
}

async function withClients<T>(url: string, count: number, work: (clients: Client[]) => Promise<T>): Promise<T> {
  const target = new PostgresTarget(url)
  const clients: Client[] = []
  try {
    while (clients.length < count) clients.push(await PostgresClient.open({ target, application_name: 'microchat-probe' }))
    return await work(clients)
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
  }
}
