import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readFile, readdir } from 'node:fs/promises'
import { DatabaseError, type Client } from 'pg'
import { PostgresClient } from './client/postgres-client.js'
import { PostgresTarget } from './client/postgres-target.js'
import { applyRoleSettings } from './role-settings.js'
import { sleep } from '../timing.js'
import { buildIndex, concurrentIndexIn, takeSessionLock } from './concurrent-index.js'
import { sha256 } from '../../protocol/sha256.js'

/** Has `migrations/` and `functions/`. From src/platform/postgres as well as from dist/platform/postgres. */
const PRISMA = fileURLToPath(new URL('../../../prisma', import.meta.url))

/** Any constant will do, but all nodes must take the same one, and it is Prisma's: its CLI waits for us and we for it. */
const LOCK = 72_707_369

/** How long a node waits before it asks again whether another one has migrated. */
const LOCK_POLL_MS = 200

/** For one statement of a migration, and for the wait for another node that migrates. TCP keep-alive notices sooner who is gone. */
const TIMEOUT_MS = 24 * 3_600_000

/** A migration or a file of functions cannot be applied. The message is for an operator and names it. */
export class MigrationError extends Error {}

/**
 * Brings the database and our role's settings to this release: first the migrations of tables, each in a transaction of its own (but for
 * an index that is built while others write) and recorded in Prisma's table, so that `prisma migrate status` tells the same story; then, in one transaction, the files of SQL functions
 * whose text this database has not seen. Nodes that start together wait for each other.
 * @param connectionString must not lead through a pooler: the lock belongs to the session
 * @param folder has `migrations/` and `functions/`
 * @returns the names of what was applied, of functions with `functions/` before them
 * @throws MigrationError if something does not apply; what was applied before it stays
 */
export async function migrate(connectionString: string, folder = PRISMA): Promise<string[]> {
  const { migrations, functions } = await readSources(folder)
  const target = new PostgresTarget(connectionString)
  const client = await PostgresClient.open({ target, application_name: 'microchat-migrate' })
  try {
    // The role's time-outs are for requests; a migration, and waiting for another node's, may take longer.
    await client.query('SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0')
    if (client instanceof PostgresClient) client.statementDeadline = TIMEOUT_MS
    await takeSessionLock(client, LOCK, () => sleep(LOCK_POLL_MS))
    await applyRoleSettings(client)
    await client.query(CREATE_TABLE)
    const applied = await readApplied(client)
    const pending = selectPending(migrations, applied)
    for (const migration of pending) await apply(client, migration)
    const changed = isOfLaterRelease(migrations, applied) ? [] : selectChanged(functions, await readSeenFunctions(client))
    if (changed.length > 0) await applyFunctions(client, changed)
    return [...pending.map(({ name }) => name), ...changed.map(functionFileName)]
  } finally {
    await client.end()
  }
}

/** The names of what `migrate` would apply. Changes nothing. */
export async function pendingMigrations(client: Client, folder = PRISMA): Promise<string[]> {
  const { migrations, functions } = await readSources(folder)
  const applied = (await hasTable(client, '_prisma_migrations')) ? await readApplied(client) : new Map<string, Applied>()
  const pending = selectPending(migrations, applied)
  const changed = isOfLaterRelease(migrations, applied) ? [] : selectChanged(functions, await readSeenFunctions(client))
  return [...pending.map(({ name }) => name), ...changed.map(functionFileName)]
}

async function readSources(folder: string): Promise<{ migrations: SqlFile[]; functions: SqlFile[] }> {
  const [migrations, functions] = await Promise.all([
    readMigrations(join(folder, 'migrations')),
    readFunctionFiles(join(folder, 'functions')),
  ])
  return { migrations, functions }
}

async function hasTable(client: Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [name])
  return rows[0]?.found === true
}

/** The table as Prisma's schema engine creates it. */
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

/** What is still to run. Refuses a history that this release's files do not explain; what a later release added is not this release's. */
function selectPending(migrations: SqlFile[], applied: Map<string, Applied>): SqlFile[] {
  const [first] = migrations
  if (first && applied.size > 0 && !applied.has(first.name)) {
    throw new MigrationError(`This database is older than the first release: it does not have ${first.name}. Begin with an empty one.`)
  }
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

async function apply(client: Client, migration: SqlFile): Promise<void> {
  const { name, sql } = migration
  const index = concurrentIndexIn(sql)
  try {
    if (index !== undefined) await buildIndex(client, index, sql)
    await client.query('BEGIN')
    if (index === undefined) await client.query(sql)
    await record(client, migration)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw new MigrationError(`Migration ${name} failed and was rolled back: ${describe(error, sql)}`, { cause: error })
  }
}

async function record(client: Client, { name, checksum }: SqlFile): Promise<void> {
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
     VALUES ($1, $2, $3, clock_timestamp(), 1)`,
    [randomUUID(), checksum, name],
  )
}

/** It has migrations that these files do not know: its functions are that release's. */
function isOfLaterRelease(migrations: SqlFile[], applied: Map<string, Applied>): boolean {
  const known = new Set(migrations.map(({ name }) => name))
  return [...applied.keys()].some((name) => !known.has(name))
}

function functionFileName({ name }: SqlFile): string {
  return `functions/${name}`
}

/** Name and checksum of every text of a file of functions that was ever applied here. */
async function readSeenFunctions(client: Client): Promise<Set<string>> {
  if (!(await hasTable(client, 'function_file'))) return new Set()
  const { rows } = await client.query<{ seen: string }>(`SELECT name || ' ' || checksum AS seen FROM function_file`)
  return new Set(rows.map(({ seen }) => seen))
}

/**
 * The files whose text is new to this database. One that was applied before is either in force, or a later release has replaced it: while
 * two releases run side by side, a node of the older one that starts again must not take that back.
 */
function selectChanged(files: SqlFile[], seen: Set<string>): SqlFile[] {
  return files.filter(({ name, checksum }) => !seen.has(`${name} ${checksum}`))
}

/** All in one transaction: functions call each other, and a request sees either all old ones or all new ones. */
async function applyFunctions(client: Client, files: SqlFile[]): Promise<void> {
  await client.query('BEGIN')
  try {
    for (const file of files) await applyFunctionFile(client, file)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

async function applyFunctionFile(client: Client, { name, sql, checksum }: SqlFile): Promise<void> {
  try {
    await client.query(sql)
    await client.query('INSERT INTO function_file (name, checksum) VALUES ($1, $2)', [name, checksum])
  } catch (error) {
    throw new MigrationError(`functions/${name}.sql failed, and no function was changed: ${describe(error, sql)}`, { cause: error })
  }
}

/** PostgreSQL's message with the line of the script, where it names a position in it. */
function describe(error: unknown, sql: string): string {
  if (!(error instanceof DatabaseError)) return String(error)
  const position = Number(error.position ?? 0)
  const line = position > 0 ? ` (line ${sql.slice(0, position).split('\n').length})` : ''
  return `${error.message}${line}${error.hint ? `. Hint: ${error.hint}` : ''}`
}

/** A migration of the tables, or a file of SQL functions. */
export interface SqlFile {
  name: string
  sql: string
  /** SHA-256 of the file in hex, as Prisma records it. */
  checksum: string
}

/** The migrations of a folder laid out by Prisma (`<name>/migration.sql`), in the order of their names. */
export async function readMigrations(folder: string): Promise<SqlFile[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(names.sort().map((name) => readSqlFile(name, join(folder, name, 'migration.sql'))))
}

/** `<name>.sql` of a folder, in the order of their names. */
export async function readFunctionFiles(folder: string): Promise<SqlFile[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql'))
  return Promise.all(files.sort().map((file) => readSqlFile(file.slice(0, -'.sql'.length), join(folder, file))))
}

async function readSqlFile(name: string, path: string): Promise<SqlFile> {
  const sql = await readFile(path, 'utf8')
  return { name, sql, checksum: sha256(sql).toString('hex') }
}
