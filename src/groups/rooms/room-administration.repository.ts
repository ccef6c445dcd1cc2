import { callFunction, type Sql } from '../../platform/postgres/sql.js'

/** A group that a room has or had, as the operator sees it. */
export interface RoomGroup {
  groupId: Buffer
  current: boolean
  deleted: boolean
  mode: 'public' | 'private'
  epoch: bigint
  /** Devices that are in it. */
  members: number
  frozen: 'reinit' | 'reset' | null
  /** User URI of who reset it, or committed its ReInit; null if a release before has not written it down. */
  frozenBy: string | null
  frozenAt: Date | null
  /** Up to then its place is reserved; null: it is not. */
  reservedUntil: Date | null
  /** User URIs. */
  admins: string[]
}

/** The groups of a room, the latest first: 100 at most. */
export async function groupsOfRoom(sql: Sql, roomId: string): Promise<RoomGroup[]> {
  const { rows } = await sql.query<RoomGroup>({
    text: `SELECT g.group_id AS "groupId", r.current_gid = g.gid AS current, g.deleted_at IS NOT NULL AS deleted, g.mode, g.epoch,
                  (SELECT count(*)::integer FROM member m WHERE m.gid = g.gid AND m.until_seq IS NULL) AS members,
                  g.frozen, g.frozen_at AS "frozenAt", (SELECT a.user_uri FROM account a WHERE a.id = g.frozen_by) AS "frozenBy",
                  CASE WHEN g.frozen IS NOT NULL AND g.reserved_until > now() THEN g.reserved_until END AS "reservedUntil",
                  ARRAY(SELECT a.user_uri FROM group_admin x JOIN account a ON a.id = x.user_id WHERE x.gid = g.gid ORDER BY 1) AS admins
             FROM room r JOIN groups g ON g.room_id = r.room_id WHERE r.room_id = $1 ORDER BY g.gid DESC LIMIT 100`,
    values: [roomId],
  })
  return rows
}

/** Makes a group of the room its current one, or a user an admin of the current one, or both (`assign_room`). Null: as it is. @param grace as for `freezeGroup` */
export async function assignRoom(
  sql: Sql,
  roomId: string,
  { groupId, adminId, grace }: { groupId: Uint8Array | null; adminId: bigint | null; grace: number },
): Promise<'accepted' | 'unknown' | 'other-room' | 'changed'> {
  const { call, values } = callFunction('assign_room', { p_room: roomId, p_group_id: groupId, p_admin: adminId, p_grace: grace })
  const { rows } = await sql.query<{ outcome: 'accepted' | 'unknown' | 'other-room' | 'changed' }>({
    text: `SELECT ${call} AS outcome`,
    values,
  })
  return rows[0]?.outcome ?? 'unknown'
}

/** Forgets the name of a room whose current group is deleted. */
export async function releaseRoom(sql: Sql, roomId: string): Promise<'accepted' | 'unknown' | 'in-use'> {
  const { rows } = await sql.query<{ released: boolean; known: boolean }>({
    text: `WITH gone AS (
             DELETE FROM room r USING groups g WHERE r.room_id = $1 AND g.gid = r.current_gid AND g.deleted_at IS NOT NULL RETURNING r.room_id
           )
           SELECT EXISTS (SELECT FROM gone) AS released, EXISTS (SELECT FROM room r WHERE r.room_id = $1) AS known`,
    values: [roomId],
  })
  if (rows[0]?.released) return 'accepted'
  return rows[0]?.known ? 'in-use' : 'unknown'
}
