import type { Client } from 'pg'
import { ok, problem, warning, type Finding } from '../finding.js'
import { setting } from './session.js'

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
