import type { Sql } from '../../../platform/postgres/sql.js'

export interface MemberChange {
  deviceId: bigint
  seq: bigint
  change: 'joined' | 'left'
  /** For a joiner: the epoch that the entry at `seq` made. */
  epoch: bigint
  ended: 'removed' | 'left' | 'revoked' | 'resync'
}

interface Interval {
  deviceId: bigint
  /** Seq of the joining entry; the interval begins after it. */
  seq: bigint
  epoch: bigint
  end: Pick<MemberChange, 'seq' | 'ended'> | undefined
}

/** Opens and closes intervals in the order of the log, as the hub has done: in two statements, however many there are. */
export async function applyMemberChanges(sql: Sql, gid: bigint, changes: readonly MemberChange[]): Promise<void> {
  const ends: MemberChange[] = []
  const opened: Interval[] = []
  for (const ofOne of Map.groupBy(changes, ({ deviceId }) => deviceId).values()) {
    for (const [index, change] of ofOne.entries()) {
      const { deviceId, seq, epoch } = change
      const next = ofOne[index + 1]
      if (index === 0) ends.push({ ...change, ended: endOf(change) })
      if (change.change === 'joined') opened.push({ deviceId, seq, epoch, end: next && { seq: next.seq, ended: endOf(next) } })
    }
  }
  await closeIntervals(sql, gid, ends)
  await openIntervals(sql, gid, opened)
}

/** A joiner that is a member already has joined again: its interval ends with a resync. */
function endOf({ change, ended }: MemberChange): MemberChange['ended'] {
  return change === 'left' ? ended : 'resync'
}

async function closeIntervals(sql: Sql, gid: bigint, ends: readonly MemberChange[]): Promise<void> {
  if (ends.length === 0) return
  await sql.query({
    name: 'close_replica_intervals',
    text: `UPDATE member m SET until_seq = x.seq, ended = x.ended
             FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS x (device_id, seq, ended)
            WHERE m.gid = $1 AND m.device_id = x.device_id AND m.until_seq IS NULL AND m.from_seq <= x.seq`,
    values: [gid, ends.map(({ deviceId }) => deviceId), ends.map(({ seq }) => seq), ends.map(({ ended }) => ended)],
  })
}

async function openIntervals(sql: Sql, gid: bigint, opened: readonly Interval[]): Promise<void> {
  if (opened.length === 0) return
  await sql.query({
    name: 'open_replica_intervals',
    text: `INSERT INTO member (device_id, gid, from_seq, join_epoch, acked, until_seq, ended)
           SELECT x.device_id, $1, x.seq + 1, x.epoch, x.seq, x.until_seq, x.ended
             FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[]) AS x (device_id, seq, epoch, until_seq, ended)
           ON CONFLICT DO NOTHING`,
    values: [
      gid,
      opened.map(({ deviceId }) => deviceId),
      opened.map(({ seq }) => seq),
      opened.map(({ epoch }) => epoch),
      opened.map(({ end }) => end?.seq ?? null),
      opened.map(({ end }) => end?.ended ?? null),
    ],
  })
}

export interface IncomingWelcome {
  seq: bigint
  epoch: bigint
  bytes: Uint8Array
  expiresAt: Date
  deviceIds: readonly bigint[]
}

/** Puts Welcomes into the inboxes of those they are for. */
export async function storeWelcomes(sql: Sql, gid: bigint, welcomes: readonly IncomingWelcome[]): Promise<void> {
  if (welcomes.length === 0) return
  const addressed = welcomes.flatMap(({ deviceIds }, index) => deviceIds.map((deviceId) => ({ deviceId, ordinal: index + 1 })))
  await sql.query({
    name: 'store_replica_welcomes',
    text: `WITH stored AS (
             INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at)
             SELECT $1, x.seq, x.ordinal, x.epoch, x.bytes, x.expires_at
               FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::timestamptz[]) WITH ORDINALITY AS x (seq, epoch, bytes, expires_at, ordinal)
             ON CONFLICT DO NOTHING RETURNING gid, seq, ordinal, octet_length(bytes) AS bytes
           ), counted AS (
             UPDATE groups SET bytes = bytes + (SELECT coalesce(sum(s.bytes), 0) FROM stored s) WHERE gid = $1
           )
           INSERT INTO inbox (device_id, kind, gid, seq, ordinal)
           SELECT d.device_id, 'welcome', s.gid, s.seq, s.ordinal
             FROM stored s JOIN unnest($6::bigint[], $7::integer[]) AS d (device_id, ordinal) USING (ordinal) ORDER BY d.device_id, s.ordinal`,
    values: [
      gid,
      welcomes.map(({ seq }) => seq),
      welcomes.map(({ epoch }) => epoch),
      welcomes.map(({ bytes }) => bytes),
      welcomes.map(({ expiresAt }) => expiresAt),
      addressed.map(({ deviceId }) => deviceId),
      addressed.map(({ ordinal }) => ordinal),
    ],
  })
}

/** Marks KeyPackages as used, once a Welcome to them has arrived. */
export async function markUsed(sql: Sql, refs: readonly Uint8Array[]): Promise<void> {
  if (refs.length === 0) return
  await sql.query({
    name: 'mark_refs_used',
    // In the order in which Commits lock the same rows.
    text: `UPDATE key_package_claim SET used = true, claimer = NULL
            WHERE ref IN (SELECT c.ref FROM key_package_claim c WHERE c.ref = ANY ($1) AND NOT c.used ORDER BY c.ref FOR NO KEY UPDATE)`,
    values: [refs],
  })
}
