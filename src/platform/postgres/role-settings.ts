import type { Sql } from './sql.js'

/**
 * Set on the role, not on the connection: poolers drop start-up options. The generic plan spares planning a 128-row batch again
 * (21k → 33k appends/s measured); the time-outs bound what one stuck or stopped node can hold.
 */
export const ROLE_SETTINGS = {
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  lock_timeout: '2s',
  statement_timeout: '10s',
  idle_in_transaction_session_timeout: '5s',
} as const

/** Gives our role the settings the server counts on, for its next connections. What an operator has set on the role stays. */
export async function applyRoleSettings(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{ present: string[] | null }>('SELECT rolconfig AS present FROM pg_roles WHERE rolname = current_user')
  const present = new Set(rows[0]?.present?.map((setting) => setting.split('=')[0]))
  for (const [name, value] of Object.entries(ROLE_SETTINGS)) {
    if (!present.has(name)) await sql.query(`ALTER ROLE CURRENT_USER SET ${name} = '${value}'`)
  }
}
