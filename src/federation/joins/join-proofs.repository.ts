import type { Sql } from '../../platform/postgres/sql.js'

/** A hub that was given one KeyPackage for a room again and again has at most so many joins by it to come. */
const MOST_FURTHER = 4

/**
 * Remembers for which room of another hub KeyPackages are handed out, before they go. One of last resort, which may be handed out for a room again,
 * counts for one more join then, also if the hub has not pushed the one before yet.
 */
export async function recordHandedOut(sql: Sql, roomId: string, refs: readonly Uint8Array[]): Promise<void> {
  if (refs.length === 0) return
  await sql.query({
    name: 'record_handed_out',
    text: `INSERT INTO handed_out_key_package (ref, room_id, device_id, expires_at)
           SELECT c.ref, $1, c.device_id, c.expires_at FROM key_package_claim c WHERE c.ref = ANY ($2) ORDER BY c.ref
           ON CONFLICT (ref, room_id) DO UPDATE SET used_gid = NULL, used_seq = NULL, used_hash = NULL,
             further = CASE WHEN handed_out_key_package.used_gid IS NULL THEN least(handed_out_key_package.further + 1, $3) ELSE handed_out_key_package.further END`,
    values: [roomId, refs, MOST_FURTHER],
  })
}

/** A KeyPackage with which a device itself asks to be added to a group of the room. */
export interface OwnKeyPackage {
  readonly ref: Uint8Array
  readonly deviceId: bigint
  readonly expiresAt: Date
}

/** The same for a KeyPackage that a device hands to the members itself. The same one again counts once. */
export async function recordOwnKeyPackage(sql: Sql, roomId: string, { ref, deviceId, expiresAt }: OwnKeyPackage): Promise<void> {
  await sql.query({
    name: 'record_own_key_package',
    text: `INSERT INTO handed_out_key_package (ref, room_id, device_id, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
    values: [ref, roomId, deviceId, expiresAt],
  })
}

/** Remembers a Commit from outside before it goes to the hub. The same one again is the same: it counts once. */
export async function recordPassedCommit(sql: Sql, passed: { hash: Uint8Array; roomId: string; deviceId: bigint }): Promise<void> {
  await sql.query({
    name: 'record_passed_commit',
    text: 'INSERT INTO passed_commit (hash, room_id, device_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    values: [passed.hash, passed.roomId, passed.deviceId],
  })
}

/** A join that a hub says of a device here. */
export interface SaidJoin {
  readonly deviceId: bigint
  readonly seq: bigint
  /** SHA-256 of the Commit at `seq`. */
  readonly hash: Uint8Array
}

/** Where the joins are: the group of a room of another hub. */
export interface JoinedGroup {
  readonly gid: bigint
  readonly roomId: string
}

/**
 * Those of the joins that are by a Commit which was passed on for that device to that room. Each Commit counts once; for the same place of the same
 * group again, as after a restore of the hub, it is the same time.
 */
export async function spendPassedCommits(sql: Sql, { gid, roomId }: JoinedGroup, joins: readonly SaidJoin[]): Promise<SaidJoin[]> {
  if (joins.length === 0) return []
  const { rows } = await sql.query<{ ord: bigint }>({
    name: 'spend_passed_commits',
    text: `UPDATE passed_commit p SET used_gid = $1, used_seq = x.seq
             FROM unnest($3::bytea[], $4::bigint[], $5::bigint[]) WITH ORDINALITY AS x (hash, device_id, seq, ord)
            WHERE p.hash = x.hash AND p.room_id = $2 AND p.device_id = x.device_id
              AND (p.used_gid IS NULL OR p.used_gid = $1 AND p.used_seq = x.seq)
           RETURNING x.ord`,
    values: [gid, roomId, joins.map(({ hash }) => hash), joins.map(({ deviceId }) => deviceId), joins.map(({ seq }) => seq)],
  })
  return rows.flatMap(({ ord }) => joins[Number(ord) - 1] ?? [])
}

/** A KeyPackageRef that a Welcome of the Commit at `seq` answers. */
export interface AnsweredRef {
  readonly ref: Uint8Array
  readonly seq: bigint
  readonly hash: Uint8Array
}

/**
 * Those of the refs that were handed out for the room, and whose devices joined by the Commit at `seq`. Each counts once: an old Welcome brings nobody
 * back. A KeyPackage counts for a day after its end, since the hub may have been unable to push.
 */
export async function spendHandedOut(
  sql: Sql,
  { gid, roomId }: JoinedGroup,
  answered: readonly AnsweredRef[],
  joins: readonly SaidJoin[],
): Promise<{ deviceId: bigint; seq: bigint; ref: Buffer }[]> {
  if (answered.length === 0 || joins.length === 0) return []
  const { rows } = await sql.query<{ deviceId: bigint; seq: bigint; ref: Buffer }>({
    name: 'spend_handed_out',
    text: `WITH held AS (
             SELECT h.ref, h.device_id, x.seq, x.hash, h.further + CASE WHEN h.used_gid IS NULL THEN 1 ELSE 0 END AS left_over,
                    h.used_gid IS NOT NULL AND h.used_gid = $1 AND h.used_seq = x.seq AND h.used_hash = x.hash AS again
               FROM unnest($3::bytea[], $4::bigint[], $5::bytea[]) AS x (ref, seq, hash)
               JOIN handed_out_key_package h ON h.ref = x.ref AND h.room_id = $2
              WHERE h.expires_at > now() - interval '1 day'
                AND (h.device_id, x.seq) IN (SELECT j.device_id, j.seq FROM unnest($6::bigint[], $7::bigint[]) AS j (device_id, seq))
              ORDER BY h.ref FOR NO KEY UPDATE OF h
           ), counted AS (
             SELECT *, count(*) FILTER (WHERE NOT again) OVER (PARTITION BY ref ORDER BY seq) AS joins FROM held
           ), spent AS (
             SELECT * FROM counted WHERE again OR joins <= left_over
           ), noted AS (
             UPDATE handed_out_key_package h SET used_gid = $1, used_seq = l.seq, used_hash = l.hash, further = l.left_over - l.joins
               FROM (SELECT DISTINCT ON (ref) * FROM spent ORDER BY ref, seq DESC) l
              WHERE h.ref = l.ref AND h.room_id = $2
           )
           SELECT device_id AS "deviceId", seq, ref FROM spent`,
    values: [
      gid,
      roomId,
      answered.map(({ ref }) => ref),
      answered.map(({ seq }) => seq),
      answered.map(({ hash }) => hash),
      joins.map(({ deviceId }) => deviceId),
      joins.map(({ seq }) => seq),
    ],
  })
  return rows
}

/** How long a hub may need to push a Commit that was passed on: as long as hubs keep what was not fetched. */
const PASSED_DAYS = 30
/** In one statement; the next run goes on. */
const AT_ONCE = 10_000

/** Deletes what no batch can use any more. */
export async function purgeJoinProofs(sql: Sql): Promise<void> {
  // By the places of the rows: as a join, PostgreSQL would read the whole table.
  await sql.query({
    text: `DELETE FROM passed_commit WHERE ctid = ANY (ARRAY(
             SELECT p.ctid FROM passed_commit p WHERE p.passed_at < now() - $1 * interval '1 day' ORDER BY p.passed_at LIMIT $2))`,
    values: [PASSED_DAYS, AT_ONCE],
  })
  await sql.query({
    text: `DELETE FROM handed_out_key_package WHERE ctid = ANY (ARRAY(
             SELECT h.ctid FROM handed_out_key_package h WHERE h.expires_at < now() - interval '1 day' ORDER BY h.expires_at LIMIT $1))`,
    values: [AT_ONCE],
  })
}
