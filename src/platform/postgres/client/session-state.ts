import type { Client } from 'pg'

/** Parameters that PostgreSQL (14 and newer) reports by itself, at the start of a session and whenever they change. */
const REPORTED = ['in_hot_standby', 'default_transaction_read_only']

/** What a session has reported of itself. Create it before the client connects. */
export class SessionState {
  private readonly reported = new Map<string, boolean>()

  /** @param onReadOnly called when a session that was writable no longer is */
  constructor(client: Client, onReadOnly?: () => void) {
    client.connection.on('parameterStatus', (message: unknown) => {
      const { name, value } = parameterOf(message)
      if (!REPORTED.includes(name)) return
      const before = this.readOnly
      this.reported.set(name, value === 'on')
      if (before === false && this.readOnly) onReadOnly?.()
    })
  }

  /** undefined until both parameters have been reported, which a pooler may not do. */
  get readOnly(): boolean | undefined {
    if (this.reported.size < REPORTED.length) return undefined
    return [...this.reported.values()].includes(true)
  }
}

/** The same by a question, which takes a round trip. */
export async function askReadOnly(client: Pick<Client, 'query'>): Promise<boolean> {
  const { rows } = await client.query<{ read_only: boolean }>(
    `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only`,
  )
  return rows[0]?.read_only === true
}

function parameterOf(message: unknown): { name: string; value: string } {
  const { parameterName = '', parameterValue = '' } = message as { parameterName?: string; parameterValue?: string }
  return { name: parameterName, value: parameterValue }
}
