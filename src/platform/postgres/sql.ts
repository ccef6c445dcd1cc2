import { Pool, type PoolClient, type PoolConfig, type QueryResult, type QueryResultRow, TypeOverrides, types } from 'pg'
import { CONNECT_MS, PostgresClient, type PostgresClientConfig } from './client/postgres-client.js'
import { PostgresTarget } from './client/postgres-target.js'
import { inQueueOf, type Statement } from './row-queues.js'

/** What a repository function needs of a connection. A Pool and a PoolClient are both one. */
export interface Sql {
  query<R extends QueryResultRow>(query: Statement | string, values?: unknown[]): Promise<QueryResult<R>>
}

/** Provider token of the process's one `pg.Pool`. */
export const POOL = Symbol('POOL')

export interface PoolOptions {
  max: number
  /** False behind a pooler that cannot track named statements (PG_PREPARE=off): names are then dropped from every query. */
  prepare: boolean
}

/**
 * int8 becomes bigint, bytea Buffer, timestamptz Date. A statement with a `name` is prepared once per connection. Each statement has
 * the target's deadline, and five seconds to get a connection.
 */
export function createPool(where: string | PostgresTarget, { max, prepare }: PoolOptions): Pool {
  const target = typeof where === 'string' ? new PostgresTarget(where) : where
  const pool = new Pool(poolConfig(target, { max, types: typeParsers, prepare, application_name: 'microchat' }))
  // A connection that breaks is replaced on next use, and its query rejects. Without a listener it would end the process.
  pool.on('error', () => undefined)
  return pool
}

type PoolOptionsOf = Pick<PoolConfig, 'max' | 'types' | 'application_name' | 'idleTimeoutMillis'> & Pick<PostgresClientConfig, 'prepare'>

/** For every pool there is, also those that Prisma and BullMQ make: `pg` gives these options to each new client. */
export function poolConfig<T extends PoolOptionsOf>(target: PostgresTarget, config: T) {
  return { ...config, target, connectionTimeoutMillis: CONNECT_MS, connectionString: target.firstUrl, Client: PostgresClient as never }
}

export interface TransactionOptions {
  /** Milliseconds for each of its statements instead of the role's statement_timeout, with a deadline of our own a little later. */
  statementTimeout?: number
  /** The row that it waits for first, as a `Statement` names it. */
  row?: string
}

/** Added to our time-out, so that PostgreSQL's comes first. */
const LATER_MS = 2_000

/**
 * Runs `work` in one transaction, for cold paths only: every round trip inside holds its locks, and a stopped node holds them
 * until `idle_in_transaction_session_timeout`. Hot paths are one SQL function each.
 */
export function transaction<T>(pool: Pool, work: (sql: Sql) => Promise<T>, { row, statementTimeout }: TransactionOptions = {}): Promise<T> {
  return inQueueOf(pool, row, () => runTransaction(pool, work, statementTimeout))
}

async function runTransaction<T>(pool: Pool, work: (sql: Sql) => Promise<T>, statementTimeout: number | undefined): Promise<T> {
  const client = await pool.connect()
  const usual = client instanceof PostgresClient ? client.statementDeadline : 0
  try {
    await client.query('BEGIN')
    if (statementTimeout !== undefined) {
      await client.query(`SET LOCAL statement_timeout = ${statementTimeout}`)
      setDeadline(client, statementTimeout + LATER_MS)
    }
    const result = await work(client)
    await client.query('COMMIT')
    setDeadline(client, usual)
    client.release()
    return result
  } catch (error) {
    setDeadline(client, usual)
    await rollBack(client)
    throw error
  }
}

/** Runs `work` inside of a transaction so that nothing is left of it where it throws, and the transaction can go on. */
export async function inSavepoint<T>(sql: Sql, work: () => Promise<T>): Promise<T> {
  await sql.query('SAVEPOINT work')
  try {
    const result = await work()
    await sql.query('RELEASE SAVEPOINT work')
    return result
  } catch (error) {
    await sql.query('ROLLBACK TO SAVEPOINT work')
    throw error
  }
}

function setDeadline(client: PoolClient, milliseconds: number): void {
  if (client instanceof PostgresClient) client.statementDeadline = milliseconds
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

/** int8[]; pg's own list of type ids has no arrays. */
const INT8_ARRAY = 1016

/** Ids and seqs are 64 bits wide: a JavaScript number would round them silently, a string would compare wrongly. Per pool, as Prisma has its own. */
export const typeParsers = new TypeOverrides()
typeParsers.setTypeParser(types.builtins.INT8, BigInt)
typeParsers.setTypeParser(INT8_ARRAY, parseBigInts)

/** `{1,NULL,2}`, of one dimension. */
function parseBigInts(text: string): (bigint | null)[] {
  const items = text.slice(1, -1)
  return items === '' ? [] : items.split(',').map((item) => (item === 'NULL' ? null : BigInt(item)))
}

/**
 * A call of a function of prisma/functions with each parameter by its name, so that neither side depends on the order of the other.
 * @param parameters name of the SQL parameter → value; all of them, since none has a default
 * @returns `call`: `name(p_a => $1, p_b => $2)`, the same text for the same names; `values`: for `$1` and so on
 */
export function callFunction(name: string, parameters: Readonly<Record<string, unknown>>): { call: string; values: unknown[] } {
  const placed = Object.keys(parameters).map((parameter, index) => `${parameter} => $${index + 1}`)
  return { call: `${name}(${placed.join(', ')})`, values: Object.values(parameters) }
}
