import type { Sql } from '../../../platform/postgres/sql.js'

/**
 * The hub lost what came after `keptSeq` to a restore, and continues in a new incarnation, as does the replica. Devices resync, and
 * memberships that began in the lost entries are deleted, those that ended there are open again. What is known of the lost entries without
 * their content stays for a while, for the members who had read them. @returns the devices with a resync in their inbox
 */
export async function reincarnate(sql: Sql, gid: bigint, incarnation: number, keptSeq: bigint, chain: Uint8Array): Promise<bigint[]> {
  await sql.query({
    text: `INSERT INTO vanished_entry (gid, incarnation, seq, kind, epoch, hash)
           SELECT l.gid, $3, l.seq, l.kind, l.epoch, l.hash FROM log l WHERE l.gid = $1 AND l.seq > $2 ON CONFLICT DO NOTHING`,
    values: [gid, keptSeq, incarnation],
  })
  const { rows: gone } = await sql.query<{ deviceId: bigint }>({
    text: `DELETE FROM member WHERE gid = $1 AND from_seq - 1 > $2 RETURNING device_id AS "deviceId"`,
    values: [gid, keptSeq],
  })
  for (const text of [
    'DELETE FROM log WHERE gid = $1 AND seq > $2',
    "DELETE FROM inbox WHERE gid = $1 AND kind = 'welcome' AND seq > $2",
    'DELETE FROM welcome WHERE gid = $1 AND seq > $2',
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
           SELECT DISTINCT d.id, 'resync', $1::bigint FROM device d
            WHERE d.id IN (SELECT m.device_id FROM member m WHERE m.gid = $1 AND m.until_seq IS NULL AND m.read_until IS NULL
                           UNION SELECT unnest($2::bigint[])) AND d.revoked_at IS NULL
            ORDER BY d.id
           RETURNING device_id AS "deviceId"`,
    values: [gid, gone.map(({ deviceId }) => deviceId)],
  })
  return rows.map(({ deviceId }) => deviceId)
}

export interface BegunIncarnations {
  /** New incarnations of the group in the last day. */
  ofGroup: number
  /** Numbers of new incarnations that the hub has begun with in the last day, in any group, this one excepted. */
  ofHub: number
  /** Entries that have gone with new incarnations of the hub's groups, as far as they are remembered. */
  vanishedOfHub: bigint
  /** The operator has let this one in. */
  isAccepted: boolean
  /** Entries up to here are retired. */
  floorSeq: bigint
  /** The Commit that brought in the first of the present members; null without any. */
  joinedSeq: bigint | null
}

/** What was begun before; nobody else counts about this hub until the end of the transaction. */
export async function incarnationsBegun(
  sql: Sql,
  { gid, hub, incarnation }: { gid: bigint; hub: string; incarnation: number },
): Promise<BegunIncarnations> {
  await sql.query({ text: `SELECT pg_advisory_xact_lock(hashtextextended('incarnations of ' || $1, 0))`, values: [hub] })
  const { rows } = await sql.query<BegunIncarnations>({
    text: `SELECT (SELECT count(*)::integer FROM incarnation_begun b WHERE b.gid = $1 AND b.at > now() - interval '1 day') AS "ofGroup",
                  (SELECT count(DISTINCT b.incarnation)::integer FROM incarnation_begun b
                    WHERE b.hub = $2 AND b.at > now() - interval '1 day' AND b.incarnation <> $3) AS "ofHub",
                  (SELECT coalesce(sum(b.vanished), 0)::bigint FROM incarnation_begun b
                    WHERE b.hub = $2 AND b.at > now() - interval '30 days') AS "vanishedOfHub",
                  coalesce(f.accepted_incarnation = $3, false) AS "isAccepted", g.floor_seq AS "floorSeq",
                  (SELECT min(m.from_seq) - 1 FROM member m WHERE m.gid = $1 AND m.until_seq IS NULL) AS "joinedSeq"
             FROM groups g JOIN followed_group f USING (gid) WHERE g.gid = $1`,
    values: [gid, hub, incarnation],
  })
  return rows[0] ?? { ofGroup: 0, ofHub: 0, vanishedOfHub: 0n, isAccepted: false, floorSeq: 0n, joinedSeq: null }
}

export interface BegunIncarnation {
  readonly gid: bigint
  readonly hub: string
  readonly incarnation: number
  readonly keptSeq: bigint
  readonly vanished: bigint
}

/** Counts a new incarnation. */
export async function noteIncarnation(sql: Sql, { gid, hub, incarnation, keptSeq, vanished }: BegunIncarnation): Promise<void> {
  await sql.query({
    text: 'INSERT INTO incarnation_begun (gid, hub, incarnation, kept_seq, vanished) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING',
    values: [gid, hub, incarnation, keptSeq, vanished],
  })
}

/** Deletes what is known of entries that went with a new incarnation 30 days ago, and of groups that are gone. */
export async function forgetIncarnations(sql: Sql): Promise<void> {
  const past = `b.at < now() - interval '30 days'
    OR EXISTS (SELECT FROM (SELECT g.deleted_at FROM groups g WHERE g.gid = b.gid OFFSET 0) x WHERE x.deleted_at IS NOT NULL)`
  await sql.query(
    `DELETE FROM vanished_entry v USING (SELECT b.gid, b.incarnation FROM incarnation_begun b WHERE ${past} OFFSET 0) p
      WHERE p.gid = v.gid AND p.incarnation = v.incarnation`,
  )
  await sql.query(`DELETE FROM incarnation_begun b WHERE ${past}`)
}
