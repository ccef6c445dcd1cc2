import { Pool, type PoolClient, type QueryConfig, type QueryResult, type QueryResultRow } from 'pg'
import { typeParsers } from './type-parsers.js'
import { UnpreparedClient } from './unprepared-client.js'

/** What a repository function needs of a connection. A Pool and a PoolClient are both one. */
export interface Sql {
  query<R extends QueryResultRow>(query: QueryConfig | string, values?: unknown[]): Promise<QueryResult<R>>
}

/** Provider token of the process's one `pg.Pool`. */
export const POOL = Symbol('POOL')

export interface PoolOptions {
  max: number
  /** False behind a pooler that cannot track named statements (PG_PREPARE=off): names are then dropped from every query. */
  prepare: boolean
}

/** int8 becomes bigint, bytea Buffer, timestamptz Date. A statement with a `name` is prepared once per connection. */
export function createPool(connectionString: string, { max, prepare }: PoolOptions): Pool {
  const pool = new Pool({
    connectionString,
    max,
    types: typeParsers,
    connectionTimeoutMillis: 5_000,
    application_name: 'microchat',
    ...(prepare ? {} : { Client: UnpreparedClient }),
  })
  // A connection that breaks is replaced on next use, and its query rejects. Without listeners, idle or lent, it would end the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/**
 * Runs `work` in one transaction, for cold paths only: every round trip inside holds its locks, and a stopped node holds them
 * until `idle_in_transaction_session_timeout`. Hot paths are one SQL function each.
 */
export async function transaction<T>(pool: Pool, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    client.release()
    return result
  } catch (error) {
    await rollBack(client)
    throw error
  }
}

/** A connection that cannot even roll back is thrown away: the server then rolls back by itself. */
async function rollBack(client: PoolClient): Promise<void> {
  try {
    await client.query('ROLLBACK')
    client.release()
  } catch {
    client.release(true)
  }
}
