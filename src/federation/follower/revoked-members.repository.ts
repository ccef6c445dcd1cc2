import { GONE_DEVICES } from '../../groups/removal/removal.repository.js'
import type { Sql } from '../../platform/postgres/sql.js'

export interface RevokedMember {
  client: string
  /** In MLS. */
  groupId: Buffer
  hub: string
  roomId: string
}

/**
 * One group per hub and device will do: the hub then knows of the device. `atOnce` for each hub, in no order, so that neither a hub that
 * does nothing nor a device that stays in keeps others waiting.
 */
export async function revokedMembers(sql: Sql, atOnce: number): Promise<RevokedMember[]> {
  const { rows } = await sql.query<RevokedMember>({
    text: `SELECT client, "groupId", hub, "roomId" FROM (
             SELECT x.*, row_number() OVER (PARTITION BY hub ORDER BY random()) AS turn FROM (
               SELECT DISTINCT ON (d.id, f.hub) d.client_uri AS client, coalesce(f.mls_group_id, f.group_id) AS "groupId", f.hub, f.room_id AS "roomId"
                 FROM (${GONE_DEVICES}) gone
                CROSS JOIN LATERAL (SELECT id, client_uri FROM device WHERE id = gone.id OFFSET 0) d
                CROSS JOIN LATERAL (SELECT gid FROM member WHERE device_id = d.id AND until_seq IS NULL OFFSET 0) m
                CROSS JOIN LATERAL (SELECT * FROM followed_group WHERE gid = m.gid OFFSET 0) f
                CROSS JOIN LATERAL (SELECT FROM groups WHERE gid = m.gid AND deleted_at IS NULL OFFSET 0) g
                ORDER BY d.id, f.hub
             ) x
           ) y WHERE turn <= $1`,
    values: [atOnce],
  })
  return rows
}
