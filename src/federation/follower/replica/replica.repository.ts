import type { LogRow } from '../../../delivery/read/entry.js'
import type { NotifyBatch } from '../../../protocol/mimi/microchat/notify-batch.js'
import type { Sql } from '../../../platform/postgres/sql.js'

/** A group is its hub's: others may have groups of the same id. */
export interface GroupAtHub {
  /** Domain. */
  readonly hub: string
  readonly mlsGroupId: Uint8Array
}

/** The head of a replica. */
export interface Replica {
  gid: bigint
  incarnation: number
  headSeq: bigint
  headChain: Buffer
  deleted: boolean
  frozen: 'reinit' | 'reset' | null
  successorGroupId: Buffer | null
  /** A local device is a member. */
  hasLocalMembers: boolean
}

/** What this server holds of a group at another hub, its row locked until the end of the transaction. */
export async function lockReplica(sql: Sql, { hub, mlsGroupId }: GroupAtHub): Promise<Replica | undefined> {
  const { rows } = await sql.query<Replica>({
    name: 'lock_replica',
    text: `SELECT g.gid, g.incarnation, g.head_seq AS "headSeq", g.head_chain AS "headChain", g.deleted_at IS NOT NULL AS deleted,
                  g.frozen, g.successor_group_id AS "successorGroupId",
                  EXISTS (SELECT FROM member m WHERE m.gid = g.gid AND m.until_seq IS NULL) AS "hasLocalMembers"
             FROM followed_group f JOIN groups g ON g.gid = f.gid
            WHERE f.hub = $1 AND coalesce(f.mls_group_id, f.group_id) = $2 FOR NO KEY UPDATE OF g`,
    values: [hub, mlsGroupId],
  })
  return rows[0]
}

export interface HomeOfReplica {
  /** How the group is addressed here. */
  groupId: Buffer
  roomId: string
  stopped: string | null
  deleted: boolean
}

/** Serializes the first batches of a group, before there is a row of a replica to lock. */
export async function lockHome(sql: Sql, { hub, mlsGroupId }: GroupAtHub): Promise<HomeOfReplica | undefined> {
  const { rows } = await sql.query<HomeOfReplica>({
    name: 'lock_home',
    text: `SELECT group_id AS "groupId", room_id AS "roomId", stopped, deleted_at IS NOT NULL AS deleted FROM followed_group
            WHERE hub = $1 AND coalesce(mls_group_id, group_id) = $2 FOR UPDATE`,
    values: [hub, mlsGroupId],
  })
  return rows[0]
}

export interface NewReplica {
  /** Its address here. */
  groupId: Uint8Array
  mlsGroupId: Uint8Array
  roomId: string
  incarnation: number
  mode: 'public' | 'private'
  cipherSuite: number
  epoch: bigint
  /** The place before the first entry that is stored, and the chain there. */
  headSeq: bigint
  headChain: Uint8Array
}

/** Creates an empty replica, and the room that names it. It never gets entries before its first one. @returns its gid */
export async function createReplica(sql: Sql, replica: NewReplica): Promise<bigint> {
  const { rows } = await sql.query<{ gid: bigint }>({
    text: `WITH made AS (
             INSERT INTO groups (group_id, mls_group_id, incarnation, mode, cipher_suite, epoch, head_seq, head_chain, floor_seq, chain_from_seq, room_id)
             VALUES ($1, nullif($9, $1), $2, $3, $4, $5, $6, $7, $6, $6, $8) RETURNING gid, group_id, room_id
           ), placed AS (
             UPDATE followed_group f SET gid = made.gid FROM made WHERE f.group_id = made.group_id
           ), named AS (
             INSERT INTO room (room_id, current_gid) SELECT room_id, gid FROM made
             ON CONFLICT (room_id) DO UPDATE SET current_gid = excluded.current_gid
           )
           SELECT gid FROM made`,
    values: [
      replica.groupId,
      replica.incarnation,
      replica.mode,
      replica.cipherSuite,
      replica.epoch,
      replica.headSeq,
      replica.headChain,
      replica.roomId,
      replica.mlsGroupId,
    ],
  })
  const gid = rows[0]?.gid
  if (gid === undefined) throw new Error('a replica was not made')
  return gid
}

/** Appends to the log of a replica. The caller has checked that they follow the head, and moves it (`moveHead`) in the same transaction. */
export async function appendEntries(sql: Sql, gid: bigint, entries: readonly LogRow[]): Promise<void> {
  await sql.query({
    name: 'append_replica_entries',
    text: `WITH stored AS (
             INSERT INTO log (gid, seq, kind, epoch, accepted_at, hash, chain, bytes)
             SELECT $1, x.seq, x.kind, x.epoch, x.accepted_at, x.hash, x.chain, x.bytes
               FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::timestamptz[], $6::bytea[], $7::bytea[], $8::bytea[])
                 AS x (seq, kind, epoch, accepted_at, hash, chain, bytes)
             RETURNING octet_length(bytes) AS bytes
           )
           UPDATE groups SET bytes = bytes + (SELECT coalesce(sum(s.bytes), 0) FROM stored s) WHERE gid = $1`,
    values: [
      gid,
      entries.map(({ seq }) => seq),
      entries.map(({ kind }) => kind),
      entries.map(({ epoch }) => epoch),
      entries.map(({ acceptedAt }) => acceptedAt),
      entries.map(({ hash }) => hash),
      entries.map(({ chain }) => chain),
      entries.map(({ bytes }) => bytes),
    ],
  })
}

export interface HeadOfReplica {
  headSeq: bigint
  headChain: Uint8Array
  /** Null: as it is. */
  epoch: bigint | null
  postFloor: bigint
}

/** What the group is after the entries that were appended. Only the epoch may stay as it is (null). */
export async function moveHead(sql: Sql, gid: bigint, head: HeadOfReplica): Promise<void> {
  await sql.query({
    name: 'move_replica_head',
    text: `UPDATE groups SET head_seq = $2, head_chain = $3, epoch = coalesce($4, epoch), post_floor = $5 WHERE gid = $1`,
    values: [gid, head.headSeq, head.headChain, head.epoch, head.postFloor],
  })
}

/** What the hub says besides the entries: whether the group takes any, and what took its place. @returns devices that find it in their inboxes */
export async function followStop(
  sql: Sql,
  gid: bigint,
  { frozen, successor }: Pick<NotifyBatch, 'frozen' | 'successor'>,
): Promise<bigint[]> {
  const { rows } = await sql.query<{ told: bigint[] }>({
    name: 'follow_stop',
    text: 'SELECT follow_stop(p_gid => $1, p_frozen => $2, p_successor => $3) AS told',
    values: [gid, frozen === 'no' ? null : frozen, successor ?? null],
  })
  return rows[0]?.told ?? []
}

/** Keeps the hub's signature of the head: with another one for the same place it proves two histories. */
export async function keepHeadSignature(sql: Sql, gid: bigint, keyId: string, signature: Uint8Array): Promise<void> {
  await sql.query({
    name: 'keep_head_signature',
    text: 'UPDATE followed_group SET head_signature = $3, head_key_id = $2 WHERE gid = $1',
    values: [gid, keyId, signature],
  })
}

/** The chain values that the replica has between two seqs, both included; where its incarnation begins, what that one is chained from. */
export async function chainsOf(sql: Sql, gid: bigint, fromSeq: bigint, toSeq: bigint): Promise<Map<bigint, Buffer>> {
  const { rows } = await sql.query<{ seq: bigint; chain: Buffer }>({
    name: 'replica_chains',
    text: `SELECT l.seq, CASE WHEN l.seq = g.chain_from_seq AND g.incarnation > 1 THEN log_chain_start(coalesce(g.mls_group_id, g.group_id), g.incarnation) ELSE l.chain END AS chain
             FROM log l JOIN groups g USING (gid) WHERE l.gid = $1 AND l.seq BETWEEN $2 AND $3`,
    values: [gid, fromSeq, toSeq],
  })
  return new Map(rows.map(({ seq, chain }) => [seq, chain]))
}

/** The replica continues from here, after a gap of entries that no local member could read or that are retired. */
export async function jumpTo(sql: Sql, gid: bigint, headSeq: bigint, headChain: Uint8Array): Promise<void> {
  await sql.query({
    text: 'UPDATE groups SET head_seq = $2, head_chain = $3 WHERE gid = $1',
    values: [gid, headSeq, headChain],
  })
}

/**
 * The hub lost what came after `keptSeq` to a restore, and continues in a new incarnation, as does the replica. Devices resync, and
 * memberships that began in the lost entries are deleted, those that ended there are open again. @returns the devices with a resync in their inbox
 */
export async function reincarnate(sql: Sql, gid: bigint, incarnation: number, keptSeq: bigint, chain: Uint8Array): Promise<bigint[]> {
  for (const text of [
    'DELETE FROM log WHERE gid = $1 AND seq > $2',
    "DELETE FROM inbox WHERE gid = $1 AND kind = 'welcome' AND seq > $2",
    'DELETE FROM welcome WHERE gid = $1 AND seq > $2',
    'DELETE FROM member WHERE gid = $1 AND from_seq - 1 > $2',
    'UPDATE member SET until_seq = NULL, ended = NULL WHERE gid = $1 AND until_seq > $2',
    'UPDATE member SET read_until = $2 WHERE gid = $1 AND read_until > $2',
  ])
    await sql.query({ text, values: [gid, keptSeq] })
  await sql.query({
    text: `UPDATE groups g SET incarnation = $2, head_seq = $3, chain_from_seq = $3, head_chain = $4, floor_seq = least(floor_seq, $3),
             bytes = held_bytes(p_gid => g.gid), epoch = coalesce((SELECT l.epoch + 1 FROM log l WHERE l.gid = $1 AND l.kind = 'c' AND l.seq <= $3 ORDER BY l.seq DESC LIMIT 1), g.epoch)
            WHERE gid = $1`,
    values: [gid, incarnation, keptSeq, chain],
  })
  const { rows } = await sql.query<{ deviceId: bigint }>({
    text: `INSERT INTO inbox (device_id, kind, gid)
           SELECT m.device_id, 'resync', m.gid FROM member m WHERE m.gid = $1 AND m.until_seq IS NULL AND m.read_until IS NULL ORDER BY m.device_id
           RETURNING device_id AS "deviceId"`,
    values: [gid],
  })
  return rows.map(({ deviceId }) => deviceId)
}

/** Proof of two histories; the lane of the group stops with it. */
export interface Equivocation {
  groupId: Uint8Array
  incarnation: number
  seq: bigint
  keptChain: Uint8Array
  otherChain: Uint8Array
  otherSignature: Uint8Array
  otherKeyId: string
}

/** Keeps both signed histories of one place, and stops the replica until an operator has looked at it. The same proof is kept once. */
export async function keepEquivocation(sql: Sql, found: Equivocation): Promise<void> {
  await sql.query({
    text: `WITH stopped AS (
             UPDATE followed_group SET stopped = 'equivocation' WHERE group_id = $1 RETURNING head_signature, head_key_id
           )
           INSERT INTO equivocation (group_id, incarnation, seq, kept_chain, kept_signature, kept_key_id, other_chain, other_signature, other_key_id)
           SELECT $1, $2, $3, $4, s.head_signature, s.head_key_id, $5, $6, $7 FROM stopped s ON CONFLICT DO NOTHING`,
    values: [found.groupId, found.incarnation, found.seq, found.keptChain, found.otherChain, found.otherSignature, found.otherKeyId],
  })
}
