import type { Client } from 'pg'
import { MigrationError, pendingMigrations } from '../../../../platform/postgres/migrate.js'
import { ok, problem, type Finding } from '../finding.js'

export async function examineMigrations(client: Client): Promise<Finding[]> {
  try {
    const pending = await pendingMigrations(client)
    if (pending.length === 0) return [ok('All migrations and functions are applied.')]
    return [problem(`${pending.length} migrations or files of functions are not applied. Run: node dist/cli.js migrate`)]
  } catch (error) {
    if (error instanceof MigrationError) return [problem(error.message)]
    throw error
  }
}
