import type { Sql } from '../../platform/postgres/sql.js'

export interface Followed {
  hub: string
  roomId: string
  gid: bigint | null
  deletedEntries: bigint | null
  deletedAt: Date | null
}

export async function lockFollowed(sql: Sql, groupId: Uint8Array): Promise<Followed | undefined> {
  const { rows } = await sql.query<Followed>({
    text: `SELECT hub, room_id AS "roomId", gid, deleted_entries AS "deletedEntries", deleted_at AS "deletedAt"
             FROM followed_group WHERE group_id = $1 FOR UPDATE`,
    values: [groupId],
  })
  return rows[0]
}

export async function noteDeleted(sql: Sql, groupId: Uint8Array, entries: bigint): Promise<Date> {
  const { rows } = await sql.query<{ at: Date }>({
    text: 'UPDATE followed_group SET deleted_entries = $2, deleted_at = now() WHERE group_id = $1 RETURNING deleted_at AS at',
    values: [groupId, entries],
  })
  return rows[0]?.at ?? new Date()
}
