import type { Sql } from '../../platform/postgres/sql.js'
import { ALIVE, rowOfGroup } from './group-row.js'

/** A serialized public group state (src/protocol/public-group/snapshot.ts). */
export interface Snapshot {
  epoch: bigint
  /** The Commit that made the epoch; 0 for the epoch the group was created with. */
  seq: bigint
  bytes: Buffer
}

/** The latest snapshot that is not past `epoch`. */
export async function findSnapshot(sql: Sql, gid: bigint, epoch: bigint): Promise<Snapshot | undefined> {
  const { rows } = await sql.query<Snapshot>({
    name: 'find_snapshot',
    text: `SELECT epoch, seq, bytes FROM group_snapshot WHERE gid = $1 AND ${ALIVE} AND epoch <= $2 ORDER BY epoch DESC LIMIT 1`,
    values: [gid, epoch],
  })
  return rows[0]
}

/** Bytes of the latest snapshot, and of the Commits since: what a replay has to read. */
export async function readReplayCost(sql: Sql, gid: bigint): Promise<{ snapshotBytes: number; replayBytes: number }> {
  const { rows } = await sql.query<{ snapshotBytes: number; replayBytes: number }>({
    text: `SELECT octet_length(s.bytes) AS "snapshotBytes",
                  coalesce((SELECT sum(octet_length(l.bytes)) FROM log l WHERE l.gid = s.gid AND l.kind = 'c' AND l.epoch >= s.epoch), 0)::integer AS "replayBytes"
             FROM group_snapshot s WHERE s.gid = $1 ORDER BY s.epoch DESC LIMIT 1`,
    values: [gid],
  })
  return rows[0] ?? { snapshotBytes: 0, replayBytes: 0 }
}

/**
 * Stores a snapshot, and drops the older ones that nothing needs any more: the state of an epoch is rebuilt from the
 * last snapshot before it, so the one before the oldest Welcome that waits in an inbox is kept (§6).
 * The lock on the group's row keeps a deletion from being survived by a snapshot.
 */
export async function storeSnapshot(
  sql: Sql,
  gid: bigint,
  incarnation: number,
  snapshot: { epoch: bigint; seq: bigint; bytes: Uint8Array },
): Promise<void> {
  await sql.query({
    name: 'store_snapshot',
    text: `
      WITH alive AS (
        SELECT gid FROM groups WHERE gid = $1 AND incarnation = $2 AND deleted_at IS NULL FOR NO KEY UPDATE
      ), waiting AS (
        SELECT min(w.epoch) AS epoch FROM welcome w JOIN inbox i ON i.gid = w.gid AND i.kind = 'welcome' AND i.seq = w.seq
         WHERE w.gid = $1 AND w.expires_at > now()
      ), needed AS (
        SELECT max(s.epoch) AS epoch FROM group_snapshot s, waiting WHERE s.gid = $1 AND s.epoch <= least(coalesce(waiting.epoch, $3), $3)
      ), dropped AS (
        DELETE FROM group_snapshot s USING needed, waiting
         WHERE s.gid = $1 AND s.epoch < $3 AND (waiting.epoch IS NULL OR s.epoch < needed.epoch)
           AND EXISTS (SELECT FROM alive)
         RETURNING -octet_length(s.bytes) AS bytes
      ), stored AS (
        INSERT INTO group_snapshot (gid, epoch, seq, bytes) SELECT gid, $3, $4, $5 FROM alive ON CONFLICT DO NOTHING
        RETURNING octet_length(bytes) AS bytes
      ), changed AS (
        SELECT bytes FROM dropped UNION ALL SELECT bytes FROM stored
      )
      UPDATE groups SET bytes = greatest(0, bytes + (SELECT sum(c.bytes) FROM changed c)) WHERE gid = $1 AND EXISTS (SELECT FROM changed)`,
    values: [gid, incarnation, snapshot.epoch, snapshot.seq, snapshot.bytes],
    row: rowOfGroup(gid),
  })
}

/** The MLSMessage that came along with the Commit to `epoch`, or with the creation. */
export async function findGroupInfo(sql: Sql, gid: bigint, epoch: bigint): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ bytes: Buffer }>({
    name: 'find_group_info',
    text: `SELECT bytes FROM group_info WHERE gid = $1 AND ${ALIVE} AND epoch = $2`,
    values: [gid, epoch],
  })
  return rows[0]?.bytes
}

/** Private mode: the tree that came along with the Commit to `epoch`. */
export async function findTree(sql: Sql, gid: bigint, epoch: bigint): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ bytes: Buffer }>({
    name: 'find_tree',
    text: `SELECT bytes FROM group_tree WHERE gid = $1 AND ${ALIVE} AND epoch = $2`,
    values: [gid, epoch],
  })
  return rows[0]?.bytes
}

/** The epochs of Welcomes that wait in a device's inbox: it may be out again, and still has to be able to open them. */
export async function waitingEpochs(sql: Sql, gid: bigint, deviceId: bigint): Promise<bigint[]> {
  const { rows } = await sql.query<{ epoch: bigint }>({
    name: 'waiting_epochs',
    text: `SELECT w.epoch FROM inbox i JOIN welcome w ON w.gid = i.gid AND w.seq = i.seq AND w.ordinal = i.ordinal
            WHERE i.device_id = $2 AND i.gid = $1 AND i.kind = 'welcome' AND w.expires_at > now()`,
    values: [gid, deviceId],
  })
  return rows.map(({ epoch }) => epoch)
}
