import { callFunction, type Sql } from '../../platform/postgres/sql.js'

/** Where a group of another provider is at home. */
export interface Home {
  /** How it is addressed here. */
  readonly groupId: Uint8Array
  /** Its id in MLS, and towards the hub. */
  readonly mlsGroupId: Uint8Array
  /** Domain of the hub. */
  readonly hub: string
  /** `mimi://<hub>/r/<room>` */
  readonly roomId: string
}

/** In which form a group's entries come from its hub: chained and signed, or as draft-ietf-mimi-protocol-06 has them. */
export type Dialect = 'profile' | 'draft'

/** Where a group is, by its address here. */
export interface Located {
  readonly mlsGroupId: Uint8Array
  /** Undefined: here. */
  readonly home: Home | undefined
  /** It stays so: what was only found by its room may go, and another group have its address. */
  readonly settled: boolean
}

/** Undefined for an address that no group here has. */
export async function locateGroup(sql: Sql, groupId: Uint8Array): Promise<Located | undefined> {
  const { rows } = await sql.query<{ hub: string | null; roomId: string | null; mlsGroupId: Buffer; settled: boolean }>({
    name: 'locate_group',
    text: `SELECT f.hub, f.room_id AS "roomId", coalesce(f.mls_group_id, f.group_id, g.mls_group_id, g.group_id) AS "mlsGroupId",
                  g.gid IS NOT NULL AS settled
             FROM (SELECT $1::bytea AS group_id) x
             LEFT JOIN followed_group f ON f.group_id = x.group_id LEFT JOIN groups g ON g.group_id = x.group_id
            WHERE f.hub IS NOT NULL OR g.gid IS NOT NULL`,
    values: [groupId],
  })
  const [row] = rows
  if (!row) return undefined
  const { hub, roomId, mlsGroupId, settled } = row
  const home = hub !== null && roomId !== null ? { groupId, mlsGroupId, hub, roomId } : undefined
  return { mlsGroupId, home, settled }
}

/** Where a group is at home, by its address: elsewhere, here, or nobody here has heard of it. */
export async function findHome(sql: Sql, groupId: Uint8Array): Promise<Home | 'here' | undefined> {
  const located = await locateGroup(sql, groupId)
  return located && (located.home ?? 'here')
}

/**
 * The address here of a group of another hub, which is its MLS group id unless another group has that. No hub keeps an id from another, or from groups
 * here.
 * @param how `joined`: a device here is about to be in it; `found`: by its room, which settles nothing
 * @returns undefined if the hub has it in another room, or its entries come in another dialect
 */
export async function followGroup(
  sql: Sql,
  group: Omit<Home, 'groupId'>,
  how: 'joined' | 'found',
  dialect: Dialect = 'profile',
): Promise<Buffer | undefined> {
  const { call, values } = callFunction('follow_group', {
    p_hub: group.hub,
    p_mls_group_id: group.mlsGroupId,
    p_room: group.roomId,
    p_found: how === 'found',
    p_dialect: dialect,
  })
  const { rows } = await sql.query<{ address: Buffer | null }>({ name: 'follow_group', text: `SELECT ${call} AS address`, values })
  return rows[0]?.address ?? undefined
}

/** The address of a group that is at home here, by its MLS group id, and its room. */
export async function findOwnGroup(sql: Sql, mlsGroupId: Uint8Array): Promise<{ groupId: Buffer; roomId: string } | undefined> {
  const { rows } = await sql.query<{ groupId: Buffer; roomId: string }>({
    name: 'find_own_group',
    text: 'SELECT g.group_id AS "groupId", g.room_id AS "roomId" FROM groups g WHERE g.gid = (SELECT own_group(p_mls_group_id => $1))',
    values: [mlsGroupId],
  })
  return rows[0]
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
