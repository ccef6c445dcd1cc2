import { ConfigError, type Config } from '../../platform/config/config.js'
import type { Sql } from '../../platform/postgres/sql.js'

/** @returns the domain that this database is for; undefined before the first start on it */
export async function readDomain(sql: Sql): Promise<string | undefined> {
  const { rows } = await sql.query<{ domain: string }>('SELECT domain FROM deployment')
  return rows[0]?.domain
}

/** One sentence for start and doctor. */
export function describeOtherDomain(stored: string, given: string): string {
  return `DOMAIN is ${given}, but this database belongs to ${stored}, which all its users, devices and rooms are named after. Set DOMAIN=${stored}, or use another database.`
}

/**
 * Keeps DOMAIN in the database at its first start. A node of another domain would be ready, and refuse every user.
 * @throws ConfigError
 */
export async function refuseOtherDomain(sql: Sql, { DOMAIN }: Pick<Config, 'DOMAIN'>): Promise<void> {
  await sql.query('INSERT INTO deployment (domain) VALUES ($1) ON CONFLICT DO NOTHING', [DOMAIN])
  const stored = await readDomain(sql)
  if (stored !== undefined && stored !== DOMAIN) throw new ConfigError([describeOtherDomain(stored, DOMAIN)])
}
