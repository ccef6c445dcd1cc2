import type { Sql } from '../../../platform/postgres/sql.js'

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

/** Devices whose KeyPackages were handed out for this room, and are good for a join still. */
export async function handedOutTo(sql: Sql, roomId: string, refs: readonly Uint8Array[]): Promise<bigint[]> {
  const { rows } = await sql.query<{ deviceId: bigint }>({
    name: 'handed_out_to',
    text: `SELECT DISTINCT h.device_id AS "deviceId" FROM handed_out_key_package h
            WHERE h.ref = ANY ($2::bytea[]) AND h.room_id = $1 AND (h.used_gid IS NULL OR h.further > 0) AND h.expires_at > now() - interval '1 day'`,
    values: [roomId, refs],
  })
  return rows.map(({ deviceId }) => deviceId)
}

/**
 * Who came by a Welcome, and the tree that came with it, which is kept once for the group.
 * @param hash SHA-256 of the Welcome @param tree `optional<Node> ratchet_tree<V>` and SHA-256 of it
 */
export async function noteWelcomed(
  sql: Sql,
  gid: bigint,
  leaves: readonly DraftMember[],
  { hash, tree }: { hash: Uint8Array; tree: KeptTree | undefined },
): Promise<void> {
  await sql.query({
    name: 'note_draft_welcomed',
    text: `WITH kept AS (
             INSERT INTO draft_tree (gid, hash, bytes) SELECT $1::bigint, $5::bytea, $6::bytea WHERE $6::bytea IS NOT NULL ON CONFLICT DO NOTHING RETURNING octet_length(bytes) AS size
           ), counted AS (
             UPDATE groups g SET bytes = g.bytes + k.size FROM kept k WHERE g.gid = $1
           )
           INSERT INTO draft_member AS d (gid, device_id, leaf_index, welcome_hash, tree_hash)
           SELECT $1, x.device_id, x.leaf_index, $4, $5 FROM unnest($2::bigint[], $3::integer[]) AS x (device_id, leaf_index)
           ON CONFLICT (gid, device_id) DO UPDATE
             SET leaf_index = excluded.leaf_index, welcome_hash = excluded.welcome_hash, tree_hash = excluded.tree_hash`,
    values: [
      gid,
      leaves.map(({ deviceId }) => deviceId),
      leaves.map(({ leafIndex }) => leafIndex),
      hash,
      tree?.hash ?? null,
      tree?.bytes ?? null,
    ],
  })
}

export interface KeptTree {
  readonly hash: Uint8Array
  readonly bytes: Uint8Array
}

/** Whether the group has a tree already, which then takes no more room. @param hash SHA-256 of it */
export async function isTreeKept(sql: Sql, gid: bigint, hash: Uint8Array): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'draft_tree_kept',
    text: 'SELECT FROM draft_tree WHERE gid = $1 AND hash = $2',
    values: [gid, hash],
  })
  return rows.length > 0
}

/** A device has joined from outside, and nothing has shown its leaf yet. */
export async function noteOutsider(sql: Sql, gid: bigint, deviceId: bigint): Promise<void> {
  await sql.query({
    name: 'note_draft_outsider',
    text: `INSERT INTO draft_member AS d (gid, device_id) VALUES ($1, $2) ON CONFLICT (gid, device_id) DO UPDATE SET leaf_index = NULL`,
    values: [gid, deviceId],
  })
}

/**
 * The leaf that a device's own handshake names, if none is known of it: it keeps that as long as it is a member (RFC 9420 §7.7), and nobody here can check
 * its signature. So a device cannot change to a leaf that stays when it is removed, nor take that of another one here.
 */
export async function noteShownLeaf(sql: Sql, gid: bigint, deviceId: bigint, leafIndex: number): Promise<void> {
  await sql.query({
    name: 'note_draft_leaf',
    text: `INSERT INTO draft_member AS d (gid, device_id, leaf_index)
           SELECT $1::bigint, $2::bigint, $3::integer
            WHERE NOT EXISTS (SELECT FROM draft_member o WHERE o.gid = $1 AND o.leaf_index = $3 AND o.device_id <> $2)
           ON CONFLICT (gid, device_id) DO UPDATE SET leaf_index = excluded.leaf_index WHERE d.leaf_index IS NULL`,
    values: [gid, deviceId, leafIndex],
  })
}

/** Devices that have left keep nothing but the mark of their Welcome, which brings nobody back; trees that nobody else needs go. */
export async function forgetLeaves(sql: Sql, gid: bigint, deviceIds: readonly bigint[]): Promise<void> {
  if (deviceIds.length === 0) return
  await sql.query({
    name: 'forget_draft_leaves',
    text: 'UPDATE draft_member SET leaf_index = NULL, tree_hash = NULL WHERE gid = $1 AND device_id = ANY ($2::bigint[])',
    values: [gid, deviceIds],
  })
  await sql.query({
    name: 'forget_draft_trees',
    text: `WITH gone AS (
             DELETE FROM draft_tree t WHERE t.gid = $1 AND NOT EXISTS (SELECT FROM draft_member d WHERE d.gid = t.gid AND d.tree_hash = t.hash)
             RETURNING octet_length(t.bytes) AS size
           )
           UPDATE groups g SET bytes = g.bytes - x.size FROM (SELECT coalesce(sum(gone.size), 0) AS size FROM gone) x WHERE g.gid = $1 AND x.size > 0`,
    values: [gid],
  })
}

export interface TreeOfJoin {
  /** Of which the tree is, as the first Commit after it shows; before that, as the group is known. */
  epoch: bigint
  tree: Buffer
}

/** The tree with which a device joined. Later epochs have other trees, which only their members know. */
export async function treeOf(sql: Sql, groupId: Uint8Array, deviceId: bigint): Promise<TreeOfJoin | undefined> {
  const { rows } = await sql.query<TreeOfJoin>({
    name: 'draft_tree',
    text: `SELECT t.bytes AS tree,
                  coalesce((SELECT l.epoch FROM log l WHERE l.gid = g.gid AND l.kind = 'c' AND l.seq >= m.from_seq ORDER BY l.seq LIMIT 1), g.epoch) AS epoch
             FROM groups g JOIN draft_member d ON d.gid = g.gid AND d.device_id = $2 JOIN draft_tree t ON t.gid = g.gid AND t.hash = d.tree_hash
             JOIN member m ON m.gid = g.gid AND m.device_id = d.device_id AND m.until_seq IS NULL
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
