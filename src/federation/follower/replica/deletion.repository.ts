import type { Home } from '../../../groups/home/homes.repository.js'
import type { Sql } from '../../../platform/postgres/sql.js'

export interface Followed {
  hub: string
  roomId: string
  gid: bigint | null
  deletedEntries: bigint | null
  deletedAt: Date | null
}

/**
 * What is known of a group at another hub, its row locked until the end of the transaction. `gid` is null where no replica was ever made.
 */
export async function lockFollowed(sql: Sql, groupId: Uint8Array): Promise<Followed | undefined> {
  const { rows } = await sql.query<Followed>({
    text: `SELECT hub, room_id AS "roomId", gid, deleted_entries AS "deletedEntries", deleted_at AS "deletedAt"
             FROM followed_group WHERE group_id = $1 FOR UPDATE`,
    values: [groupId],
  })
  return rows[0]
}

/** Remembers the deletion of a group and how many entries went with it, for the receipt. @returns when, by the database's clock */
export async function noteDeleted(sql: Sql, groupId: Uint8Array, entries: bigint): Promise<Date> {
  const { rows } = await sql.query<{ at: Date }>({
    text: 'UPDATE followed_group SET deleted_entries = $2, deleted_at = now() WHERE group_id = $1 RETURNING deleted_at AS at',
    values: [groupId, entries],
  })
  return rows[0]?.at ?? new Date()
}

/**
 * Of a group that is not known here and was deleted at its hub: a batch that is still on the way begins no replica then.
 */
export async function noteUnknownDeleted(sql: Sql, { groupId, hub, roomId }: Home): Promise<void> {
  await sql.query({
    text: `INSERT INTO followed_group (group_id, hub, room_id, deleted_entries, deleted_at)
           SELECT $1, $2, $3, 0, now() WHERE reserve_for_hub(p_group_id => $1) ON CONFLICT DO NOTHING`,
    values: [groupId, hub, roomId],
  })
}

/** Deletes the rows of groups without a replica whose deletion is an hour old: no batch that was on the way then can still arrive. */
export async function forgetDeletedUnknown(sql: Sql): Promise<void> {
  await sql.query("DELETE FROM followed_group WHERE gid IS NULL AND deleted_at < now() - interval '1 hour'")
}
