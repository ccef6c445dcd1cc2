import type { LogRow } from '../../../delivery/read/entry.js'
import type { Dialect } from '../../../groups/home/homes.repository.js'
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
  dialect: Dialect
  stopped: string | null
  deleted: boolean
}

/** Serializes the first batches of a group, before there is a row of a replica to lock. */
export async function lockHome(sql: Sql, { hub, mlsGroupId }: GroupAtHub): Promise<HomeOfReplica | undefined> {
  const { rows } = await sql.query<HomeOfReplica>({
    name: 'lock_home',
    text: `SELECT group_id AS "groupId", room_id AS "roomId", dialect, stopped, deleted_at IS NOT NULL AS deleted FROM followed_group
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
             VALUES ($1, nullif($9::bytea, $1::bytea), $2, $3, $4, $5, $6, $7, $6, $6, $8) RETURNING gid, group_id, room_id
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
