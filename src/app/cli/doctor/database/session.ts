import type { Client } from 'pg'
import { PostgresClient } from '../../../../platform/postgres/client/postgres-client.js'
import { PostgresTarget } from '../../../../platform/postgres/client/postgres-target.js'

/** Sizes and counts of a large database take longer than what serves a request. */
const STATEMENT_MS = 60_000

/** One connection of the doctor's, closed whatever happens. */
export async function withSession<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const target = new PostgresTarget(connectionString, { statementDeadline: STATEMENT_MS })
  const client = await PostgresClient.open({ target, application_name: 'microchat-doctor' })
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** A server setting; empty for one that this version of PostgreSQL does not have. */
export async function setting(client: Client, name: string): Promise<string> {
  const { rows } = await client.query<{ value: string | null }>('SELECT current_setting($1, true) AS value', [name])
  return rows[0]?.value ?? ''
}
