import type { Client } from 'pg'
import { ROLE_SETTINGS } from '../../../../platform/postgres/role-settings.js'
import { ok, problem, warning, type Finding } from '../finding.js'
import { setting } from './session.js'

const OLDEST_MAJOR = 15
const TOLERATED_SKEW_MS = 1_000

export async function examineServer(client: Client): Promise<Finding[]> {
  return [await examineVersion(client), await examineClock(client), ...(await examineRole(client))]
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

/** The hot functions were measured with these; a migration sets them on the role, for direct and pooled connections alike. */
async function examineRole(client: Client): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [name, expected] of Object.entries(ROLE_SETTINGS)) {
    const found = await setting(client, name)
    if (found !== expected) findings.push(warning(`${name} is ${found}: ALTER ROLE CURRENT_USER SET ${name} = '${expected}'.`))
  }
  return findings.length > 0 ? findings : [ok('The role has the settings that were measured.')]
}
