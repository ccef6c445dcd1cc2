import type { Sql } from '../sql.js'

/** How many connections a PostgreSQL server gives to ordinary roles, our role and our database. */
export interface ConnectionLimits {
  /** max_connections less what is reserved. */
  server: number
  maxConnections: number
  reserved: number
  role: { name: string; limit: number | undefined }
  database: { name: string; limit: number | undefined }
}

/** `sql` must lead to PostgreSQL itself: through a pooler the answer is the same, but the session's role may not be ours. */
export async function readConnectionLimits(sql: Sql): Promise<ConnectionLimits> {
  const { rows } = await sql.query<LimitsRow>(QUERY)
  const row = rows[0]
  if (!row) throw new Error('PostgreSQL does not tell its limits')
  return {
    server: row.max_connections - row.reserved,
    maxConnections: row.max_connections,
    reserved: row.reserved,
    role: { name: row.role, limit: row.role_limit ?? undefined },
    database: { name: row.database, limit: row.database_limit ?? undefined },
  }
}

interface LimitsRow {
  max_connections: number
  reserved: number
  role: string
  role_limit: number | null
  database: string
  database_limit: number | null
}

/** reserved_connections is new in PostgreSQL 16. The limit of a role does not bind a superuser; -1 and, after DROP DATABASE broke off, -2 are none. */
const QUERY = `
  SELECT current_setting('max_connections')::int AS max_connections,
         current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
         r.rolname::text AS role, CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit END AS role_limit,
         d.datname::text AS database, CASE WHEN d.datconnlimit >= 0 AND NOT r.rolsuper THEN d.datconnlimit END AS database_limit
    FROM pg_roles r, pg_database d
   WHERE r.rolname = current_user AND d.datname = current_database()`
