import { Client } from 'pg'

const CONNECT_MS = 5_000

/** One connection of the doctor's, closed whatever happens. */
export async function withSession<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString, connectionTimeoutMillis: CONNECT_MS, application_name: 'microchat-doctor' })
  client.on('error', () => undefined)
  try {
    await client.connect()
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
