import type { Client } from 'pg'
import { ok, type Finding } from '../finding.js'

/** Sizes, to plan by. Counts are the planner's estimates: counting a large table takes minutes. */
export async function examineFacts(client: Client): Promise<Finding[]> {
  const { rows } = await client.query<{ size: string; log: string; groups: string; entries: string; members: string }>(
    `SELECT pg_size_pretty(pg_database_size(current_database())) AS size,
            (SELECT pg_size_pretty(coalesce(sum(pg_total_relation_size(inhrelid)), 0)) FROM pg_inherits
              WHERE inhparent = 'log'::regclass) AS log,
            (SELECT count(*) FROM (SELECT 1 FROM groups WHERE deleted_at IS NULL LIMIT 1000000) g) AS groups,
            (SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
              WHERE i.inhparent = 'log'::regclass) AS entries,
            (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'member'::regclass) AS members`,
  )
  const row = rows[0]
  if (!row) return []
  return [
    ok(
      `The database takes ${row.size}, of it ${row.log} for some ${row.entries} log entries; ${row.groups} groups, some ${row.members} memberships.`,
    ),
  ]
}
