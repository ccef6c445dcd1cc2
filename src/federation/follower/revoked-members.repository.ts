import type { Sql } from '../../platform/postgres/sql.js'

export interface RevokedMember {
  client: string
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
               SELECT DISTINCT ON (d.id, f.hub) d.client_uri AS client, f.group_id AS "groupId", f.hub, f.room_id AS "roomId"
                 FROM followed_group f JOIN member m ON m.gid = f.gid AND m.until_seq IS NULL
                 JOIN device d ON d.id = m.device_id JOIN account a ON a.id = d.account_id
                 JOIN groups g ON g.gid = f.gid AND g.deleted_at IS NULL
                WHERE d.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL
                ORDER BY d.id, f.hub
             ) x
           ) y WHERE turn <= $1`,
    values: [atOnce],
  })
  return rows
}
