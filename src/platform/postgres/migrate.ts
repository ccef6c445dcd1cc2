import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { DatabaseError, type Client } from 'pg'
import { PostgresClient } from './client/postgres-client.js'
import { PostgresTarget } from './client/postgres-target.js'
import { readMigrations, type Migration } from './migration-files.js'
import { applyRoleSettings } from './role-settings.js'

/** prisma/migrations, from src/platform/postgres as well as from dist/platform/postgres. */
const MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url))

/** Any constant will do, but all nodes must take the same one, and it is Prisma's: its CLI waits for us and we for it. */
const LOCK = 72_707_369

/** For one statement of a migration, and for the wait for another node that migrates. TCP keep-alive notices sooner who is gone. */
const PATIENCE_MS = 24 * 3_600_000

/** A migration cannot be applied. The message is for an operator and names the migration. */
export class MigrationError extends Error {}

/**
 * Brings the database and our role's settings to this release; returns the names of the migrations it applied. Each runs in a transaction of its
 * own and is recorded in Prisma's table, so that `prisma migrate status` tells the same story. Nodes that start together wait
 * for each other. `connectionString` must not lead through a pooler: the lock belongs to the session.
 */
export async function migrate(connectionString: string, folder = MIGRATIONS): Promise<string[]> {
  const migrations = await readMigrations(folder)
  const target = new PostgresTarget(connectionString)
  const client = await PostgresClient.open({ target, application_name: 'microchat-migrate' })
  try {
    // The role's time-outs are for requests; a migration, and waiting for another node's, may take longer.
    await client.query('SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0')
    if (client instanceof PostgresClient) client.statementDeadline = PATIENCE_MS
    await client.query('SELECT pg_advisory_lock($1)', [LOCK])
    await applyRoleSettings(client)
    await client.query(CREATE_TABLE)
    const pending = selectPending(migrations, await readApplied(client))
    for (const migration of pending) await apply(client, migration)
    return pending.map(({ name }) => name)
  } finally {
    await client.end()
  }
}

/** The names of the migrations that `migrate` would apply. Changes nothing. */
export async function pendingMigrations(client: Client, folder = MIGRATIONS): Promise<string[]> {
  const { rows } = await client.query<{ found: string | null }>("SELECT to_regclass('_prisma_migrations')::text AS found")
  const applied = rows[0]?.found ? await readApplied(client) : new Map<string, Applied>()
  return selectPending(await readMigrations(folder), applied).map(({ name }) => name)
}

/** As Prisma's own schema engine creates it. */
const CREATE_TABLE = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                  varchar(36)  PRIMARY KEY NOT NULL,
    checksum            varchar(64)  NOT NULL,
    finished_at         timestamptz,
    migration_name      varchar(255) NOT NULL,
    logs                text,
    rolled_back_at      timestamptz,
    started_at          timestamptz  NOT NULL DEFAULT now(),
    applied_steps_count integer      NOT NULL DEFAULT 0
  )`

interface Applied {
  migration_name: string
  checksum: string
  finished: boolean
}

async function readApplied(client: Client): Promise<Map<string, Applied>> {
  const { rows } = await client.query<Applied>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
  )
  return new Map(rows.map((row) => [row.migration_name, row]))
}

/** What is still to run. Refuses a history that this release's files do not explain. */
function selectPending(migrations: Migration[], applied: Map<string, Applied>): Migration[] {
  for (const { name, checksum } of migrations) {
    const before = applied.get(name)
    if (before && !before.finished) {
      throw new MigrationError(`Migration ${name} was started by another tool and did not finish; see "prisma migrate resolve".`)
    }
    if (before && before.checksum !== checksum) {
      throw new MigrationError(
        `Migration ${name} was changed after it had been applied to this database. Restore the file, or add a new migration.`,
      )
    }
  }
  return migrations.filter(({ name }) => !applied.has(name))
}

async function apply(client: Client, { name, sql, checksum }: Migration): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(sql)
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, clock_timestamp(), 1)`,
      [randomUUID(), checksum, name],
    )
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw new MigrationError(`Migration ${name} failed and was rolled back: ${describe(error, sql)}`, { cause: error })
  }
}

/** PostgreSQL's message with the line of the script, where it names a position in it. */
function describe(error: unknown, sql: string): string {
  if (!(error instanceof DatabaseError)) return String(error)
  const position = Number(error.position ?? 0)
  const line = position > 0 ? ` (line ${sql.slice(0, position).split('\n').length})` : ''
  return `${error.message}${line}${error.hint ? `. Hint: ${error.hint}` : ''}`
}
