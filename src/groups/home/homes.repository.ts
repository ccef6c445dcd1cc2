import type { Sql } from '../../platform/postgres/sql.js'

/** Where a group of another provider is at home. */
export interface Home {
  readonly groupId: Uint8Array
  /** Domain of the hub. */
  readonly hub: string
  /** `mimi://<hub>/r/<room>` */
  readonly roomId: string
}

/** What this server knows of a group id: that its hub is elsewhere, that the group is its own, or nothing. */
export async function findHome(sql: Sql, groupId: Uint8Array): Promise<Home | 'here' | undefined> {
  const { rows } = await sql.query<{ hub: string | null; roomId: string | null; here: boolean }>({
    name: 'find_home',
    text: `SELECT f.hub, f.room_id AS "roomId", g.gid IS NOT NULL AS here
             FROM (SELECT $1::bytea AS group_id) x
             LEFT JOIN followed_group f USING (group_id) LEFT JOIN groups g USING (group_id)`,
    values: [groupId],
  })
  const [row] = rows
  if (row?.hub != null && row.roomId !== null) return { groupId, hub: row.hub, roomId: row.roomId }
  return row?.here ? 'here' : undefined
}

/**
 * Fixes where a group is at home, at first sight; nobody else's claim to the same id moves it, and an id that a local group has
 * or announces is nobody's. @returns whether it is (now, or has been) at home there
 */
export async function recordHub(sql: Sql, { groupId, hub, roomId }: Home): Promise<boolean> {
  const { rows } = await sql.query<{ settled: boolean }>({
    name: 'record_hub',
    text: `
      WITH made AS (
        INSERT INTO followed_group (group_id, hub, room_id)
        SELECT $1, $2, $3 WHERE reserve_for_hub(p_group_id => $1)
        ON CONFLICT DO NOTHING RETURNING hub, room_id
      )
      SELECT EXISTS (
        SELECT FROM made UNION ALL SELECT FROM followed_group f WHERE f.group_id = $1 AND f.hub = $2 AND f.room_id = $3
      ) AS settled`,
    values: [groupId, hub, roomId],
  })
  return rows[0]?.settled ?? false
}

/** Far more than a server has to do with; those after it in the alphabet would be taken for unknown. */
const MOST_HUBS = 50_000

/** The domains of all hubs of groups that are followed here, by one probe of the index for each. */
export async function followedHubs(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ hub: string }>({
    name: 'followed_hubs',
    text: `
      WITH RECURSIVE found (hub) AS (
        (SELECT f.hub FROM followed_group f ORDER BY f.hub LIMIT 1)
        UNION ALL
        SELECT (SELECT f.hub FROM followed_group f WHERE f.hub > found.hub ORDER BY f.hub LIMIT 1) FROM found WHERE found.hub IS NOT NULL
      )
      SELECT hub FROM found WHERE hub IS NOT NULL LIMIT ${MOST_HUBS}`,
    values: [],
  })
  return rows.map(({ hub }) => hub)
}
