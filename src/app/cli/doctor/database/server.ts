import type { Client } from 'pg'
import { ROLE_SETTINGS } from '../../../../platform/postgres/role-settings.js'
import { ok, problem, warning, type Finding } from '../finding.js'
import { setting } from './session.js'

const OLDEST_MAJOR = 15
const TOLERATED_SKEW_MS = 1_000

/** Version, clock and the settings of our role, as seen through `DATABASE_URL`. */
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

/** An acknowledged Commit must not be lost: two clients would then build two histories of one epoch. */
export async function examineDurability(client: Client): Promise<Finding[]> {
  const off = []
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) if ((await setting(client, name)) === 'off') off.push(name)
  const kept =
    off.length === 0
      ? ok('PostgreSQL keeps what it acknowledged.')
      : problem(`${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off: a crash would lose accepted Commits.`)
  return [kept, await examineChecksums(client)]
}

async function examineChecksums(client: Client): Promise<Finding> {
  if ((await setting(client, 'data_checksums')) === 'on') return ok('Data pages have checksums.')
  return warning('Data checksums are off: a disk that corrupts pages goes unnoticed. Stop PostgreSQL once and run pg_checksums --enable.')
}

/** An asynchronous failover forgets the last accepted Commits, whose epochs then get others: it can be detected, not survived. */
export async function examineReplication(client: Client): Promise<Finding[]> {
  const { rows } = await client.query<{ standby: boolean; followers: number }>(
    'SELECT pg_is_in_recovery() AS standby, (SELECT count(*)::int FROM pg_stat_replication) AS followers',
  )
  const { standby = false, followers = 0 } = rows[0] ?? {}
  if (standby) return [problem('This PostgreSQL is a standby and takes no writes: DATABASE_URL must lead to the primary.')]
  const required = (await setting(client, 'synchronous_standby_names')) !== ''
  if (required) return [await examineSynchronous(client, followers)]
  if (followers === 0) return [ok('No standby is connected: what a lost disk held comes back from a backup only.')]
  return [
    warning(
      `${followers} standbys follow asynchronously (synchronous_standby_names is empty): after a failover to one of them, ` +
        'accepted Commits may be gone. Make replication synchronous, and run "cli recovered" after any asynchronous failover.',
    ),
  ]
}

async function examineSynchronous(client: Client, followers: number): Promise<Finding> {
  const commit = await setting(client, 'synchronous_commit')
  if (followers === 0) return warning('synchronous_standby_names is set, but no standby is connected: every Commit waits for one.')
  if (commit === 'local') return warning('synchronous_commit is local: Commits do not wait for the synchronous standby. Set it to on.')
  return ok('Replication is synchronous.')
}

/** What pg_basebackup and a restore to the last moment need (docs/operator-guide.md). */
export async function examineBackups(client: Client): Promise<Finding[]> {
  const level = await setting(client, 'wal_level')
  if (level === 'minimal') return [warning('wal_level is minimal: neither pg_basebackup nor a standby works. Set it to replica.')]
  if ((await setting(client, 'archive_mode')) === 'off')
    return [warning('WAL is not archived (archive_mode off): a restore loses everything since the last base backup.')]
  const { rows } = await client.query<{ failing: boolean; archived: Date | null }>(
    `SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing, last_archived_time AS archived
       FROM pg_stat_archiver`,
  )
  if (rows[0]?.failing)
    return [warning('Archiving WAL fails: restores lose what is not archived, and the disk fills up. See the log of PostgreSQL.')]
  return [ok(`WAL is archived, last at ${rows[0]?.archived?.toISOString() ?? 'no time yet'}.`)]
}

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
