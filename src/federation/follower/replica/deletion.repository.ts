import type { Sql } from '../../../platform/postgres/sql.js'
import type { GroupAtHub } from './replica.repository.js'

export interface Followed {
  /** How the group is addressed here. */
  groupId: Buffer
  roomId: string
  gid: bigint | null
  deletedEntries: bigint | null
  deletedAt: Date | null
}

/**
 * What is known of a group at another hub, its row locked until the end of the transaction. `gid` is null where no replica was ever made.
 */
export async function lockFollowed(sql: Sql, { hub, mlsGroupId }: GroupAtHub): Promise<Followed | undefined> {
  const { rows } = await sql.query<Followed>({
    text: `SELECT group_id AS "groupId", room_id AS "roomId", gid, deleted_entries AS "deletedEntries", deleted_at AS "deletedAt"
             FROM followed_group WHERE hub = $1 AND coalesce(mls_group_id, group_id) = $2 FOR UPDATE`,
    values: [hub, mlsGroupId],
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
 * Of a group that is not known here and was deleted at its hub: a batch that is still on the way begins no replica then. It is remembered only while
 * something could show a join in that room, and under an address that no group would have, so that it keeps none from others.
 */
export async function noteUnknownDeleted(sql: Sql, { hub, mlsGroupId }: GroupAtHub, roomId: string): Promise<void> {
  await sql.query({
    text: `INSERT INTO followed_group (group_id, mls_group_id, hub, room_id, deleted_entries, deleted_at)
           SELECT sha256(convert_to('microchat deleted group', 'UTF8') || convert_to($1::text, 'UTF8') || decode('00', 'hex') || $2::bytea), $2::bytea, $1::text, $3::text, 0, now()
            WHERE EXISTS (SELECT FROM handed_out_key_package h WHERE h.room_id = $3 AND h.used_gid IS NULL)
               OR EXISTS (SELECT FROM passed_commit p WHERE p.room_id = $3 AND p.used_gid IS NULL)
           ON CONFLICT DO NOTHING`,
    values: [hub, mlsGroupId, roomId],
  })
}

/**
 * Deletes the rows of groups without a replica: those whose deletion is an hour old, as no batch that was on the way then can still arrive, and those
 * that were found a day ago and nobody has joined.
 */
export async function forgetDeletedUnknown(sql: Sql): Promise<void> {
  await sql.query("DELETE FROM followed_group WHERE gid IS NULL AND deleted_at < now() - interval '1 hour'")
  await sql.query("DELETE FROM followed_group WHERE gid IS NULL AND deleted_at IS NULL AND first_seen_at < now() - interval '1 day'")
}
