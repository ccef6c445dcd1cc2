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

/** @param groupId in MLS @returns undefined for a group that nobody here has joined, or that is at home elsewhere than in this room. */
export async function readDraftReplica(sql: Sql, groupId: Uint8Array, hub: string, roomId: string): Promise<DraftReplica | undefined> {
  const { rows } = await sql.query<DraftReplica>({
    name: 'read_draft_replica',
    text: `SELECT g.gid, g.cipher_suite AS "cipherSuite", g.epoch, g.head_seq AS "headSeq", g.head_chain AS "headChain", g.post_floor AS "postFloor",
                  g.deleted_at IS NOT NULL AS deleted
             FROM followed_group f JOIN groups g ON g.gid = f.gid
            WHERE f.hub = $2 AND coalesce(f.mls_group_id, f.group_id) = $1 AND f.room_id = $3 AND f.stopped IS NULL FOR NO KEY UPDATE OF g`,
    values: [groupId, hub, roomId],
  })
  return rows[0]
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

/** The Proposals of an epoch, which its Commit may refer to. */
export async function proposalsOf(sql: Sql, gid: bigint, epoch: bigint): Promise<Buffer[]> {
  const { rows } = await sql.query<{ bytes: Buffer }>({
    name: 'proposals_of_replica',
    text: `SELECT l.bytes FROM log l JOIN groups g ON g.gid = l.gid AND g.deleted_at IS NULL
            WHERE l.gid = $1 AND l.kind IN ('c', 'p') AND l.epoch = $2
              AND l.seq > coalesce((SELECT c.seq FROM log c WHERE c.gid = $1 AND c.kind = 'c' AND c.epoch = $2::bigint - 1), 0)
            ORDER BY l.seq LIMIT 1024`,
    values: [gid, epoch],
  })
  return rows.map(({ bytes }) => bytes)
}

export interface DraftMember {
  deviceId: bigint
  leafIndex: number | null
}

/** Devices here that are in the group, with their leaves as far as these are known. */
export async function draftMembers(sql: Sql, gid: bigint): Promise<DraftMember[]> {
  const { rows } = await sql.query<DraftMember>({
    name: 'draft_members',
    text: `SELECT m.device_id AS "deviceId", d.leaf_index AS "leafIndex" FROM member m LEFT JOIN draft_member d ON d.gid = m.gid AND d.device_id = m.device_id
            WHERE m.gid = $1 AND m.until_seq IS NULL`,
    values: [gid],
  })
  return rows
}

/** Whether devices here have joined by this Welcome before. @param hash SHA-256 of its bytes */
export async function isWelcomeKnown(sql: Sql, gid: bigint, hash: Uint8Array): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'draft_welcome_known',
    text: 'SELECT FROM draft_member WHERE gid = $1 AND welcome_hash = $2 LIMIT 1',
    values: [gid, hash],
  })
  return rows.length > 0
}

/** Devices whose KeyPackages were handed out for this room, and have brought nobody in yet. */
export async function handedOutTo(sql: Sql, roomId: string, refs: readonly Uint8Array[]): Promise<bigint[]> {
  const { rows } = await sql.query<{ deviceId: bigint }>({
    name: 'handed_out_to',
    text: `SELECT DISTINCT h.device_id AS "deviceId" FROM handed_out_key_package h
            WHERE h.ref = ANY ($2::bytea[]) AND h.room_id = $1 AND h.used_gid IS NULL AND h.expires_at > now() - interval '1 day'`,
    values: [roomId, refs],
  })
  return rows.map(({ deviceId }) => deviceId)
}

export interface KnownLeaf {
  deviceId: bigint
  leafIndex: number | null
}

/** Who came by a Welcome, and the tree that came with it. @param tree `optional<Node> ratchet_tree<V>` */
export async function noteWelcomed(
  sql: Sql,
  gid: bigint,
  leaves: readonly KnownLeaf[],
  { hash, tree }: { hash: Uint8Array; tree: Uint8Array | null },
): Promise<void> {
  await sql.query({
    name: 'note_draft_welcomed',
    text: `INSERT INTO draft_member AS d (gid, device_id, leaf_index, welcome_hash, tree)
           SELECT $1, x.device_id, x.leaf_index, $4, $5 FROM unnest($2::bigint[], $3::integer[]) AS x (device_id, leaf_index)
           ON CONFLICT (gid, device_id) DO UPDATE SET leaf_index = excluded.leaf_index, welcome_hash = excluded.welcome_hash, tree = excluded.tree`,
    values: [gid, leaves.map(({ deviceId }) => deviceId), leaves.map(({ leafIndex }) => leafIndex), hash, tree],
  })
}

/** Where a device stands, as its own handshake shows; null: it has joined from outside, and nothing has shown it yet. */
export async function noteLeaf(sql: Sql, gid: bigint, deviceId: bigint, leafIndex: number | null): Promise<void> {
  await sql.query({
    name: 'note_draft_leaf',
    text: `INSERT INTO draft_member AS d (gid, device_id, leaf_index) VALUES ($1, $2, $3)
           ON CONFLICT (gid, device_id) DO UPDATE SET leaf_index = excluded.leaf_index WHERE d.leaf_index IS DISTINCT FROM excluded.leaf_index`,
    values: [gid, deviceId, leafIndex],
  })
}

/** Devices that have left keep nothing but the mark of their Welcome, which brings nobody back. */
export async function forgetLeaves(sql: Sql, gid: bigint, deviceIds: readonly bigint[]): Promise<void> {
  if (deviceIds.length === 0) return
  await sql.query({
    name: 'forget_draft_leaves',
    text: 'UPDATE draft_member SET leaf_index = NULL, tree = NULL WHERE gid = $1 AND device_id = ANY ($2::bigint[])',
    values: [gid, deviceIds],
  })
}

/** The tree with which a device joined. */
export async function treeOf(sql: Sql, groupId: Uint8Array, deviceId: bigint): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ tree: Buffer | null }>({
    name: 'draft_tree',
    text: 'SELECT d.tree FROM draft_member d JOIN groups g ON g.gid = d.gid WHERE g.group_id = $1 AND d.device_id = $2',
    values: [groupId, deviceId],
  })
  return rows[0]?.tree ?? undefined
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

/** A Welcome into the inboxes of those who joined by it, after others that came to the same place. */
export async function storeDraftWelcome(
  sql: Sql,
  gid: bigint,
  {
    seq,
    epoch,
    bytes,
    expiresAt,
    deviceIds,
  }: { seq: bigint; epoch: bigint; bytes: Uint8Array; expiresAt: Date; deviceIds: readonly bigint[] },
): Promise<void> {
  await sql.query({
    name: 'store_draft_welcome',
    text: `WITH stored AS (
             INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at)
             SELECT g.gid, $2, coalesce(max(w.ordinal), 0) + 1, $3, $4, $5
               FROM groups g LEFT JOIN welcome w ON w.gid = g.gid AND w.seq = $2 WHERE g.gid = $1 AND g.deleted_at IS NULL GROUP BY g.gid
             RETURNING gid, seq, ordinal, octet_length(bytes) AS bytes
           ), counted AS (
             UPDATE groups g SET bytes = g.bytes + s.bytes FROM stored s WHERE g.gid = s.gid
           )
           INSERT INTO inbox (device_id, kind, gid, seq, ordinal)
           SELECT x.device_id, 'welcome', s.gid, s.seq, s.ordinal FROM stored s CROSS JOIN unnest($6::bigint[]) AS x (device_id) ORDER BY x.device_id`,
    values: [gid, seq, epoch, bytes, expiresAt, deviceIds],
  })
}
