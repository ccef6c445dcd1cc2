import type { Client } from 'pg'
import { ok, problem, warning, type Finding } from '../finding.js'
import { setting } from './session.js'

const LONG_MS = 5 * 60_000

/** Whatever keeps dead versions of rows: a group's row is written by every message, and slows down with each that stays. */
export async function examineMaintenance(client: Client): Promise<Finding[]> {
  const autovacuum = await setting(client, 'autovacuum')
  const findings = [...(await examineTransactions(client, LONG_MS)), ...(await examineSlots(client))]
  if (autovacuum === 'off') findings.unshift(problem('autovacuum is off: hot tables bloat without end, and PostgreSQL stops in the end.'))
  return findings.length > 0 ? findings : [ok('Nothing keeps dead rows alive.')]
}

/** Only of our own role, unless it has pg_read_all_stats; prepared transactions are there for all to see. */
export async function examineTransactions(client: Client, longMs: number): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string; minutes: number }>(
    `SELECT coalesce(nullif(application_name, ''), backend_type) AS name, round(extract(epoch FROM now() - xact_start) / 60)::int AS minutes
       FROM pg_stat_activity
      WHERE xact_start < now() - $1 * interval '1 millisecond' AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
      UNION ALL
     SELECT 'a prepared transaction', round(extract(epoch FROM now() - prepared) / 60)::int
       FROM pg_prepared_xacts WHERE prepared < now() - $1 * interval '1 millisecond'
      ORDER BY minutes DESC LIMIT 3`,
    [longMs],
  )
  return rows.map(({ name, minutes }) =>
    warning(`A transaction of ${name} has been open for ${minutes} minutes: hot rows slow down until it ends. Was it pg_dump?`),
  )
}

/** A standby that is gone for good leaves its slot behind, and the slot keeps WAL until the disk is full. */
async function examineSlots(client: Client): Promise<Finding[]> {
  const { rows } = await client.query<{ slot: string; kept: string }>(
    `SELECT slot_name::text AS slot, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) AS kept
       FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL AND NOT pg_is_in_recovery()`,
  )
  return rows.map(({ slot, kept }) =>
    warning(`The replication slot ${slot} is not in use and keeps ${kept} of WAL. If its standby is gone, drop it.`),
  )
}
