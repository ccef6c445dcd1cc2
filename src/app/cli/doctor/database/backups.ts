import type { Client } from 'pg'
import { ok, warning, type Finding } from '../finding.js'
import { setting } from './session.js'

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
