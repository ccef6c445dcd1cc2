import { DatabaseError, type Client } from 'pg'
import { PostgresClient } from './client/postgres-client.js'
import { PostgresTarget } from './client/postgres-target.js'
import type { Sql } from './sql.js'

/** Time for one statement, including its connection. */
const PROBE_MS = 1_200

const DISK_FULL = '53100'

/** What one look at PostgreSQL showed. */
export interface DatabaseState {
  /** Every migration is in, and none stopped half-way. */
  migrated: boolean
  /** A standby, a demoted primary, or default_transaction_read_only. */
  readOnly: boolean
  /** It said so, and there is still no room. */
  full: boolean
  /** Milliseconds by which our clock is ahead of PostgreSQL's, as near to 0 as the time of the answer leaves open. */
  clockAhead: number
}

/** Looks at PostgreSQL on a connection of its own, so that a busy pool and a database that is gone look different. */
export class DatabaseProbe {
  private readonly target: PostgresTarget
  private client: Client | undefined
  private full = false

  /** @param served where the process's own statements go: only there does it show that the disk is full */
  constructor(url: string, served: PostgresTarget) {
    this.target = new PostgresTarget(url, { statementDeadline: PROBE_MS })
    served.on('refused', (sqlState) => {
      if (sqlState === DISK_FULL) this.full = true
    })
  }

  /**
   * @param more further questions on the same connection; what they throw for reasons of their own is theirs to handle
   * @throws if PostgreSQL cannot be asked
   */
  async look<T>(more: (sql: Sql) => Promise<T>): Promise<{ state: DatabaseState; more: T }> {
    const client = await this.connect()
    try {
      const state = await this.ask(client)
      return { state, more: await more(client) }
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    const { client } = this
    this.client = undefined
    // What does not answer cannot be left in order either.
    client?.connection.stream.destroy()
  }

  private async connect(): Promise<Client> {
    if (this.client) return this.client
    const client = await PostgresClient.open({
      target: this.target,
      connectionTimeoutMillis: PROBE_MS,
      application_name: 'microchat-ready',
    })
    client.once('end', () => {
      if (this.client === client) this.client = undefined
    })
    this.client = client
    return client
  }

  private async ask(sql: Sql): Promise<DatabaseState> {
    const before = Date.now()
    const { rows } = await sql.query<{ now: Date; read_only: boolean }>(SESSION)
    const after = Date.now()
    if (this.full) this.full = await isStillFull(sql)
    return {
      migrated: await isMigrated(sql),
      readOnly: rows[0]?.read_only !== false,
      full: this.full,
      clockAhead: distance(rows[0]?.now.getTime() ?? 0, before, after),
    }
  }
}

const SESSION = `
  SELECT clock_timestamp() AS now, pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only`

/** PostgreSQL read its clock at some time between `before` and `after`, on this server's clock. */
function distance(theirs: number, before: number, after: number): number {
  if (theirs < before) return before - theirs
  return theirs > after ? after - theirs : 0
}

/** One row if there are migrations and none stopped half-way. */
const MIGRATIONS = `
  SELECT 1 FROM _prisma_migrations
  HAVING count(*) > 0 AND count(*) FILTER (WHERE finished_at IS NULL AND rolled_back_at IS NULL) = 0`

async function isMigrated(sql: Sql): Promise<boolean> {
  try {
    return (await sql.query(MIGRATIONS)).rows.length > 0
  } catch (error) {
    if (error instanceof DatabaseError) return false
    throw error
  }
}

/** A sort that does not fit into memory writes some 2 MB to the disk, into no table, and takes no right. */
const SPILL = `
  SELECT count(*) FROM (SELECT repeat('x', 1000) || n AS text FROM generate_series(1, 2000) n ORDER BY text OFFSET 0) written`

async function isStillFull(sql: Sql): Promise<boolean> {
  await sql.query('BEGIN')
  try {
    await sql.query(`SET LOCAL work_mem = '64kB'`)
    await sql.query(SPILL)
    return false
  } catch (error) {
    if (error instanceof DatabaseError) return error.code === DISK_FULL
    throw error
  } finally {
    await sql.query('ROLLBACK')
  }
}
