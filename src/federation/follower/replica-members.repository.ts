import type { Sql } from '../../platform/postgres/sql.js'

export interface MemberChange {
  deviceId: bigint
  seq: bigint
  change: 'joined' | 'left'
  /** Of a joiner: the epoch that the entry at `seq` made. */
  epoch: bigint
  ended: 'removed' | 'left' | 'revoked' | 'resync'
}

/** Opens and closes intervals in the order of the log, as the hub has done. */
export async function applyMemberChanges(sql: Sql, gid: bigint, changes: readonly MemberChange[]): Promise<void> {
  for (const { deviceId, seq, change, epoch, ended } of changes) {
    await sql.query({
      name: 'close_replica_interval',
      text: 'UPDATE member SET until_seq = $3, ended = $4 WHERE gid = $1 AND device_id = $2 AND until_seq IS NULL AND from_seq <= $3',
      values: [gid, deviceId, seq, change === 'left' ? ended : 'resync'],
    })
    if (change === 'joined') {
      await sql.query({
        name: 'open_replica_interval',
        text: `INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) VALUES ($2, $1, $3::bigint + 1, $4, $3) ON CONFLICT DO NOTHING`,
        values: [gid, deviceId, seq, epoch],
      })
    }
  }
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
  for (const [index, { seq, epoch, bytes, expiresAt, deviceIds }] of welcomes.entries()) {
    const ordinal = index + 1
    await sql.query({
      name: 'store_replica_welcome',
      text: `WITH stored AS (
               INSERT INTO welcome (gid, seq, ordinal, epoch, bytes, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT DO NOTHING RETURNING gid, seq, ordinal
             )
             INSERT INTO inbox (device_id, kind, gid, seq, ordinal)
             SELECT d, 'welcome', s.gid, s.seq, s.ordinal FROM stored s, unnest($7::bigint[]) AS d ORDER BY d`,
      values: [gid, seq, ordinal, epoch, bytes, expiresAt, deviceIds],
    })
  }
}

/** The tree of an epoch that somebody here joins in: so that a joiner does not depend on the hub being up. */
export async function storeTree(sql: Sql, gid: bigint, epoch: bigint, bytes: Uint8Array): Promise<void> {
  await sql.query({
    name: 'store_replica_tree',
    text: 'INSERT INTO group_tree (gid, epoch, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    values: [gid, epoch, bytes],
  })
}

/** KeyPackages to which a Welcome has come. */
export async function markUsed(sql: Sql, refs: readonly Uint8Array[]): Promise<void> {
  if (refs.length === 0) return
  await sql.query({
    name: 'mark_refs_used',
    text: 'UPDATE key_package_claim SET used = true WHERE ref = ANY ($1) AND NOT used',
    values: [refs],
  })
}
