import type { Sql } from '../../platform/postgres/sql.js'
import type { HeldBackBy } from './quotas.problems.js'

/** What a batch would store in a replica. */
export interface StorageWanted {
  readonly gid: bigint
  readonly hub: string
  /** The local device that joins by it. */
  readonly joining: bigint | undefined
  /** Of its new entries and Welcomes. */
  readonly bytes: number
  readonly entries: number
  /** It is the joining entry alone. */
  readonly isFirst: boolean
  /** Local devices that get a Welcome, once for each. */
  readonly welcomed: readonly bigint[]
}

/** In the order of `judge_replica_bytes`: bytes, groups and Welcomes. */
export type StorageLimits = readonly number[]

/** What a row of the log takes besides its bytes, its places in indexes included. */
const ROW_BYTES = 256

/**
 * Judges before anything is written; batches of one hub wait for each other until the end of the transaction. The caller has locked the group's row.
 * @returns what keeps the batch back
 */
export async function judgeReplicaBytes(sql: Sql, wanted: StorageWanted, limits: StorageLimits): Promise<HeldBackBy | undefined> {
  const { gid, hub, joining, bytes, entries, isFirst, welcomed } = wanted
  const { rows } = await sql.query<{ by: HeldBackBy | null }>({
    name: 'judge_replica_bytes',
    text: `SELECT judge_replica_bytes(p_gid => $1, p_hub => $2, p_device => $3, p_bytes => $4, p_entries => $5, p_row => $6, p_first => $7,
                                      p_welcomed => $8, p_most => $9) AS by`,
    values: [gid, hub, joining ?? null, bytes, entries, ROW_BYTES, isFirst, welcomed, limits],
  })
  return rows[0]?.by ?? undefined
}

/** A batch of this hub was held back; its replica need not be there. */
export async function noteHeldBack(sql: Sql, hub: string, gid: bigint, by: HeldBackBy): Promise<void> {
  await sql.query({
    name: 'note_held_back',
    text: `WITH replica AS (UPDATE replica_storage SET held_back_at = now() WHERE gid = $2 AND hub = $1)
           INSERT INTO peer_storage AS s (domain, held_back_at, held_back) VALUES ($1, now(), $3)
           ON CONFLICT (domain) DO UPDATE SET held_back_at = excluded.held_back_at, held_back = excluded.held_back`,
    values: [hub, gid, by],
  })
}

/** Replicas, by gid after `after`, that nobody had taken up, and somebody has by now. */
export async function takenUp(sql: Sql, after: bigint, limit: number): Promise<{ gid: bigint; taken: boolean }[]> {
  const { rows } = await sql.query<{ gid: bigint; taken: boolean }>({
    name: 'replicas_taken_up',
    text: `SELECT r.gid, seen_stage(p_gid => r.gid) > 0 AS taken FROM (
             SELECT gid FROM replica_storage WHERE stage = 0 AND gid > $1 ORDER BY gid LIMIT $2
           ) r ORDER BY r.gid`,
    values: [after, limit],
  })
  return rows
}

/**
 * In the lock of the group's row.
 * @returns the group, where its hub has been held back since and may go on, and can be asked for what it has: a hub of the draft cannot
 */
export async function raiseTaken(sql: Sql, gid: bigint): Promise<{ groupId: Buffer } | undefined> {
  const { rows } = await sql.query<{ groupId: Buffer; waits: boolean }>({
    name: 'raise_taken_replica',
    text: `WITH held AS MATERIALIZED (SELECT g.gid, g.group_id FROM groups g WHERE g.gid = $1 FOR NO KEY UPDATE), raised AS MATERIALIZED (
             SELECT h.gid, h.group_id, raise_stage(p_gid => h.gid, p_stage => 1::smallint) AS raised FROM held h
           )
           SELECT x.group_id AS "groupId", r.held_back_at IS NOT NULL AND f.dialect = 'profile' AS waits
             FROM raised x JOIN replica_storage r ON r.gid = x.gid JOIN followed_group f ON f.group_id = x.group_id WHERE x.raised`,
    values: [gid],
  })
  return rows[0]?.waits ? rows[0] : undefined
}

export interface PeerStorage {
  domain: string
  bytes: bigint
  newGroups: number
  minuteBytes: bigint
  heldBackAt: Date | null
  heldBack: string | null
}

/** What each hub keeps here, for the operator. */
export async function listPeerStorage(sql: Sql): Promise<PeerStorage[]> {
  const { rows } = await sql.query<PeerStorage>(
    `SELECT domain, bytes, new_groups AS "newGroups", held_back_at AS "heldBackAt", held_back AS "heldBack",
            CASE WHEN minute_at > now() - interval '2 minutes' THEN minute_bytes ELSE 0 END AS "minuteBytes" FROM peer_storage ORDER BY domain`,
  )
  return rows
}

/** Of all peers together. @param recentMs a peer that was held back within this time counts as such */
export async function sumPeerStorage(sql: Sql, recentMs: number): Promise<{ bytes: bigint; most: bigint; heldBack: bigint }> {
  const { rows } = await sql.query<{ bytes: bigint; most: bigint; heldBack: bigint }>({
    name: 'sum_peer_storage',
    text: `SELECT coalesce(sum(bytes), 0)::bigint AS bytes, coalesce(max(bytes), 0) AS most,
                  count(*) FILTER (WHERE held_back_at > now() - $1 * interval '1 millisecond') AS "heldBack" FROM peer_storage`,
    values: [recentMs],
  })
  return rows[0] ?? { bytes: 0n, most: 0n, heldBack: 0n }
}

/** Adds to what a peer has sent in this minute, for the operator. */
export async function noteMinuteBytes(sql: Sql, domain: string, bytes: number): Promise<void> {
  await sql.query({
    name: 'note_minute_bytes',
    text: `INSERT INTO peer_storage AS s (domain, minute_at, minute_bytes) VALUES ($1, now(), $2)
           ON CONFLICT (domain) DO UPDATE
             SET minute_bytes = CASE WHEN s.minute_at > now() - interval '1 minute' THEN s.minute_bytes ELSE 0 END + excluded.minute_bytes,
                 minute_at = CASE WHEN s.minute_at > now() - interval '1 minute' THEN s.minute_at ELSE now() END`,
    values: [domain, bytes],
  })
}
