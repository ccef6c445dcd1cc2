import type { Sql } from '../../platform/postgres/sql.js'
import type { ShownDelivery } from '../delivery/delivery.dto.js'

/** The group that is current in a room, if the device is or was in it or in one it succeeds. */
export async function findRoom(sql: Sql, roomId: string): Promise<{ gid: bigint; groupId: Buffer; mlsGroupId: Buffer } | undefined> {
  const { rows } = await sql.query<{ gid: bigint; groupId: Buffer; mlsGroupId: Buffer }>({
    text: 'SELECT g.gid, g.group_id AS "groupId", coalesce(g.mls_group_id, g.group_id) AS "mlsGroupId" FROM room r JOIN groups g ON g.gid = r.current_gid WHERE r.room_id = $1 AND g.deleted_at IS NULL',
    values: [roomId],
  })
  return rows[0]
}

/**
 * Whether any device of the user is or was a member of a group that the room has had. Who was thrown out of one knows nothing of those after it
 * until it is in again.
 */
export async function knowsRoom(sql: Sql, roomId: string, userId: bigint): Promise<boolean> {
  const { rows } = await sql.query({
    text: `SELECT FROM unnest(ARRAY(SELECT id FROM device WHERE account_id = $2)) AS d (id)
            CROSS JOIN LATERAL (SELECT m.gid FROM member m WHERE m.device_id = d.id OFFSET 0) m
            WHERE (SELECT g.room_id FROM groups g WHERE g.gid = m.gid) = $1
              AND NOT EXISTS (
                SELECT FROM room r JOIN group_outcast o ON o.gid = r.current_gid AND o.user_id = $2
                 WHERE r.room_id = $1 AND presence_in(p_gid => r.current_gid, p_user => $2) <> 'present'
              ) LIMIT 1`,
    values: [roomId, userId],
  })
  return rows.length > 0
}

/** The group whose place this one took, and the clients of that and of those before it that were to come along and have not come. */
export interface Succession {
  successorOf: Buffer | null
  expected: string[]
}

/** At most 1,000 clients, of the last eight groups of the room; those that were in a later one and are out there are not expected. */
export async function readSuccession(sql: Sql, gid: bigint): Promise<Succession> {
  const { rows } = await sql.query<Succession>({
    name: 'read_succession',
    text: `WITH RECURSIVE line AS (
             SELECT g.gid, g.predecessor_gid AS before, 0 AS depth FROM groups g WHERE g.gid = $1
              UNION ALL
             SELECT p.gid, p.predecessor_gid, l.depth + 1 FROM line l JOIN groups p ON p.gid = l.before WHERE l.depth < 8
           )
           SELECT (SELECT p.group_id FROM line l JOIN groups p ON p.gid = l.before WHERE l.depth = 0) AS "successorOf",
                  ARRAY(
                    SELECT d.client_uri FROM line l
                      JOIN member m ON m.gid = l.gid AND m.until_seq IS NULL AND m.read_until IS NULL
                      JOIN device d ON d.id = m.device_id AND d.revoked_at IS NULL
                     WHERE l.depth > 0
                       AND NOT EXISTS (
                         SELECT FROM line n CROSS JOIN LATERAL (SELECT FROM member x WHERE x.device_id = m.device_id AND x.gid = n.gid OFFSET 0) x
                          WHERE n.depth < l.depth
                       )
                       AND NOT EXISTS (SELECT FROM group_ban b WHERE b.gid = $1 AND b.user_id = d.account_id)
                     ORDER BY 1 LIMIT 1000
                  ) AS expected`,
    values: [gid],
  })
  return rows[0] ?? { successorOf: null, expected: [] }
}

/** A group in which a device is a member now, with its first entry for that device. */
export interface MyGroupRow {
  gid: bigint
  groupId: Buffer
  mlsGroupId: Buffer
  mode: 'public' | 'private'
  cipherSuite: number
  incarnation: number
  epoch: bigint
  headSeq: bigint
  headChain: Buffer
  postFloor: bigint
  roomId: string
  frozen: 'reinit' | 'reset' | null
  successorGroupId: Buffer | null
  fromSeq: bigint
  delivery: ShownDelivery
}

/** The groups that a device is a member of, ordered by gid, after `afterGid`. */
export async function groupsOf(sql: Sql, deviceId: bigint, afterGid: bigint, limit: number): Promise<MyGroupRow[]> {
  const { rows } = await sql.query<MyGroupRow>({
    name: 'groups_of',
    text: `SELECT g.gid, g.group_id AS "groupId", coalesce(g.mls_group_id, g.group_id) AS "mlsGroupId", g.mode, g.cipher_suite AS "cipherSuite", g.incarnation, g.epoch, g.head_seq AS "headSeq",
                  g.head_chain AS "headChain", g.post_floor AS "postFloor", g.room_id AS "roomId", g.frozen,
                  CASE WHEN g.successor_group_id IS NOT NULL THEN successor_address(g) END AS "successorGroupId", m.from_seq AS "fromSeq", m.delivery
             FROM member m JOIN groups g USING (gid)
            WHERE m.device_id = $1 AND m.gid > $2 AND m.until_seq IS NULL AND m.read_until IS NULL AND g.deleted_at IS NULL
            ORDER BY m.gid LIMIT $3`,
    values: [deviceId, afterGid, limit],
  })
  return rows
}
