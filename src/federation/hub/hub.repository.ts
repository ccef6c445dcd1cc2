import type { Sql } from '../../platform/postgres/sql.js'

/** The room of a group that is at home here. */
export async function roomOfGroup(sql: Sql, groupId: Uint8Array): Promise<string | undefined> {
  const { rows } = await sql.query<{ roomId: string }>({
    name: 'room_of_group',
    text: `SELECT g.room_id AS "roomId" FROM groups g
            WHERE g.group_id = $1 AND NOT EXISTS (SELECT FROM followed_group f WHERE f.group_id = g.group_id)`,
    values: [groupId],
  })
  return rows[0]?.roomId
}

/** The current group of a room at home here, for a provider that has members in it, or anyone where joining takes no invitation. */
export async function groupForPeer(sql: Sql, roomId: string, domain: string): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ groupId: Buffer }>({
    name: 'group_for_peer',
    text: `SELECT g.group_id AS "groupId" FROM room r JOIN groups g ON g.gid = r.current_gid JOIN group_policy p ON p.gid = g.gid
            WHERE r.room_id = $1 AND g.deleted_at IS NULL AND NOT EXISTS (SELECT FROM followed_group f WHERE f.group_id = g.group_id)
              AND (p.external_join IN ('code', 'open') OR EXISTS (SELECT FROM peer_cursor c WHERE c.gid = g.gid AND c.domain = $2))`,
    values: [roomId, domain],
  })
  return rows[0]?.groupId
}
