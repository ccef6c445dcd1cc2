import type { Sql } from '../../../platform/postgres/sql.js'

/** A replica of a group whose hub says nothing but its messages. */
export interface DraftReplica {
  gid: bigint
  cipherSuite: number
  epoch: bigint
  headSeq: bigint
  headChain: Buffer
  postFloor: bigint
  deleted: boolean
}

/** What is stored of one room follows one after the other, before there is a row to lock. Until the end of the transaction. */
export async function lockDraftRoom(sql: Sql, roomId: string): Promise<void> {
  await sql.query({
    name: 'lock_draft_room',
    text: `SELECT pg_advisory_xact_lock(hashtextextended('draft room ' || $1, 0))`,
    values: [roomId],
  })
}

/**
 * @param groupId in MLS
 * @returns undefined for a group that nobody here has joined, that is at home elsewhere than in this room, or whose entries are signed ones of the profile
 */
export async function readDraftReplica(sql: Sql, groupId: Uint8Array, hub: string, roomId: string): Promise<DraftReplica | undefined> {
  const { rows } = await sql.query<DraftReplica>({
    name: 'read_draft_replica',
    text: `SELECT g.gid, g.cipher_suite AS "cipherSuite", g.epoch, g.head_seq AS "headSeq", g.head_chain AS "headChain", g.post_floor AS "postFloor",
                  g.deleted_at IS NOT NULL AS deleted
             FROM followed_group f JOIN groups g ON g.gid = f.gid
            WHERE f.hub = $2 AND coalesce(f.mls_group_id, f.group_id) = $1 AND f.room_id = $3 AND f.dialect = 'draft' AND f.stopped IS NULL
              FOR NO KEY UPDATE OF g`,
    values: [groupId, hub, roomId],
  })
  return rows[0]
}

/** The row of a replica, which is not locked. @param groupId in MLS */
export async function findDraftReplica(sql: Sql, groupId: Uint8Array, hub: string, roomId: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'find_draft_replica',
    text: `SELECT f.gid FROM followed_group f
            WHERE f.hub = $2 AND coalesce(f.mls_group_id, f.group_id) = $1 AND f.room_id = $3 AND f.dialect = 'draft' AND f.stopped IS NULL
              AND f.gid IS NOT NULL`,
    values: [groupId, hub, roomId],
  })
  return rows[0]?.gid
}

/** Whether a group is followed here by entries that its hub has signed. @param groupId in MLS */
export async function isSigned(sql: Sql, groupId: Uint8Array, hub: string): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'replica_is_signed',
    text: `SELECT FROM followed_group f
            WHERE f.hub = $2 AND coalesce(f.mls_group_id, f.group_id) = $1 AND f.dialect <> 'draft' AND (f.gid IS NOT NULL OR f.deleted_at IS NOT NULL)`,
    values: [groupId, hub],
  })
  return rows.length > 0
}

/** Whether the Commit of an epoch is there. */
export async function hasCommitOf(sql: Sql, gid: bigint, epoch: bigint): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'replica_has_commit',
    text: `SELECT l.seq FROM log l WHERE l.gid = $1 AND l.kind = 'c' AND l.epoch = $2 LIMIT 1`,
    values: [gid, epoch],
  })
  return rows.length > 0
}

/** Where these bytes stand in the log of a replica. @param hash SHA-256 */
export async function placeOf(sql: Sql, gid: bigint, hash: Uint8Array): Promise<{ seq: bigint; epoch: bigint; chain: Buffer } | undefined> {
  const { rows } = await sql.query<{ seq: bigint; epoch: bigint; chain: Buffer }>({
    name: 'place_in_replica',
    text: `SELECT l.seq, l.epoch + CASE l.kind WHEN 'c' THEN 1 ELSE 0 END AS epoch, l.chain FROM log l WHERE l.gid = $1 AND l.hash = $2 LIMIT 1`,
    values: [gid, hash],
  })
  return rows[0]
}

/** Of one epoch, that are read at its Commit: no hub of an honest group has as many waiting. */
const MOST_PROPOSALS = { number: 1_024, bytes: 4 * 1_048_576 }

/** The Proposals of an epoch, which its Commit may refer to: the first of them, up to four megabytes. */
export async function proposalsOf(sql: Sql, gid: bigint, epoch: bigint): Promise<Buffer[]> {
  const { rows } = await sql.query<{ bytes: Buffer }>({
    name: 'proposals_of_replica',
    text: `SELECT x.bytes FROM (
             SELECT l.seq, l.bytes, sum(octet_length(l.bytes)) OVER (ORDER BY l.seq) AS so_far FROM log l JOIN groups g ON g.gid = l.gid AND g.deleted_at IS NULL
              WHERE l.gid = $1 AND l.kind IN ('c', 'p') AND l.epoch = $2
                AND l.seq > coalesce((SELECT c.seq FROM log c WHERE c.gid = $1 AND c.kind = 'c' AND c.epoch = $2::bigint - 1), 0)
              ORDER BY l.seq LIMIT $3
           ) x WHERE x.so_far <= $4 ORDER BY x.seq`,
    values: [gid, epoch, MOST_PROPOSALS.number, MOST_PROPOSALS.bytes],
  })
  return rows.map(({ bytes }) => bytes)
}

export interface ShownReplica {
  groupId: Buffer
  cipherSuite: number
  incarnation: number
  epoch: bigint
  headSeq: bigint
  headChain: Buffer
  postFloor: bigint
  roomId: string
  memberSince: bigint
}

/** A replica for a device here that is a member. */
export async function shownReplica(sql: Sql, groupId: Uint8Array, deviceId: bigint): Promise<ShownReplica | undefined> {
  const { rows } = await sql.query<ShownReplica>({
    name: 'shown_draft_replica',
    text: `SELECT g.group_id AS "groupId", g.cipher_suite AS "cipherSuite", g.incarnation, g.epoch, g.head_seq AS "headSeq", g.head_chain AS "headChain",
                  g.post_floor AS "postFloor", g.room_id AS "roomId", m.from_seq AS "memberSince"
             FROM groups g JOIN member m ON m.gid = g.gid AND m.device_id = $2 AND m.until_seq IS NULL
            WHERE g.group_id = $1 AND g.deleted_at IS NULL`,
    values: [groupId, deviceId],
  })
  return rows[0]
}
