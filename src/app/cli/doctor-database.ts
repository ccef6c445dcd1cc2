import { Client } from 'pg'
import { databaseUrl, directDatabaseUrl, type Config } from '../../platform/config/config.js'
import { pendingMigrations } from '../../platform/postgres/migrate.js'
import { ok, problem, reasonOf, warning, type Finding } from './finding.js'

const OLDEST_MAJOR = 15
const TOLERATED_SKEW_MS = 1_000

/** What the hot functions were measured with; ALTER ROLE sets them (docs/operator-guide.md). */
const EXPECTED = { plan_cache_mode: 'force_generic_plan', jit: 'off', lock_timeout: '2s', statement_timeout: '10s' }

export async function examineDatabase(config: Config): Promise<Finding[]> {
  if (!config.DATABASE_URL) return []
  const pooled = await examineThrough(databaseUrl(config), 'DATABASE_URL', examineServer)
  const direct = await examineThrough(directDatabaseUrl(config), 'DIRECT_DATABASE_URL', examineMigrations)
  return [...pooled, ...direct]
}

async function examineThrough(url: string, name: string, examine: (client: Client) => Promise<Finding[]>): Promise<Finding[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000, application_name: 'microchat-doctor' })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await examine(client)
  } catch (error) {
    return [problem(`PostgreSQL cannot be used (${reasonOf(error)}). Check ${name} and that the server runs.`)]
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function examineServer(client: Client): Promise<Finding[]> {
  return [await examineVersion(client), await examineClock(client), ...(await examineRole(client)), await examineDurability(client)]
}

async function examineVersion(client: Client): Promise<Finding> {
  const major = Math.floor(Number(await setting(client, 'server_version_num')) / 10_000)
  return major >= OLDEST_MAJOR ? ok(`PostgreSQL ${major}.`) : problem(`PostgreSQL ${major} is too old: ${OLDEST_MAJOR} or newer is needed.`)
}

/** Tokens and KeyPackages live by this machine's clock, stored times by the database's. */
async function examineClock(client: Client): Promise<Finding> {
  const before = Date.now()
  const { rows } = await client.query<{ now: Date }>('SELECT clock_timestamp() AS now')
  const middle = (before + Date.now()) / 2
  const skew = Math.abs((rows[0]?.now.getTime() ?? 0) - middle)
  if (skew <= TOLERATED_SKEW_MS) return ok('The clocks of this machine and of PostgreSQL agree.')
  return warning(`The clocks of this machine and of PostgreSQL are ${Math.round(skew / 1000)} s apart. Run NTP on both.`)
}

async function examineRole(client: Client): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [name, expected] of Object.entries(EXPECTED)) {
    const found = await setting(client, name)
    if (found !== expected) findings.push(warning(`${name} is ${found}: ALTER ROLE CURRENT_USER SET ${name} = '${expected}'.`))
  }
  return findings.length > 0 ? findings : [ok('The role has the settings that were measured.')]
}

/** An acknowledged Commit must not be lost: two clients would then build two histories of one epoch. */
async function examineDurability(client: Client): Promise<Finding> {
  const [fsync, commit] = [await setting(client, 'fsync'), await setting(client, 'synchronous_commit')]
  if (fsync === 'off' || commit === 'off') return problem('fsync or synchronous_commit is off: a crash would lose accepted Commits.')
  return ok('PostgreSQL keeps what it acknowledged.')
}

async function examineMigrations(client: Client): Promise<Finding[]> {
  const pending = await pendingMigrations(client)
  if (pending.length === 0) return [ok('All migrations are applied.')]
  return [problem(`${pending.length} migrations are not applied. Run: node dist/cli.js migrate`)]
}

async function setting(client: Client, name: string): Promise<string> {
  const { rows } = await client.query<{ value: string }>('SELECT current_setting($1) AS value', [name])
  return rows[0]?.value ?? ''
}
