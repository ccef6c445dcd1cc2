import { type Sql, callFunction } from '../../platform/postgres/sql.js'
import { rowOfGroup } from '../repository/group-row.js'

/** A device on its way out of a group. */
export interface PendingRemoval {
  deviceId: bigint
  client: string
  /** Known where the server can sign a proposal; then every new epoch needs one. */
  leafIndex: number | null
  reason: 'leave' | 'revoke'
  /** The epoch for which a Remove is in the log; with no leaf, for which none can be made. */
  proposedEpoch: bigint | null
}

/** Everyone on the way out of a group, in the order of their device ids. */
export async function pendingRemovals(sql: Sql, gid: bigint): Promise<PendingRemoval[]> {
  const { rows } = await sql.query<PendingRemoval>({
    name: 'pending_removals',
    text: `SELECT r.device_id AS "deviceId", d.client_uri AS client, r.leaf_index AS "leafIndex", r.reason, r.proposed_epoch AS "proposedEpoch"
             FROM pending_removal r JOIN device d ON d.id = r.device_id WHERE r.gid = $1 ORDER BY r.device_id`,
    values: [gid],
  })
  return rows
}

/** Their client URIs. */
export async function leavingClients(sql: Sql, gid: bigint): Promise<string[]> {
  return (await pendingRemovals(sql, gid)).map(({ client }) => client)
}

export type LeaveOutcome = 'accepted' | 'unknown' | 'deleted' | 'frozen' | 'not-a-member'

/** Ends delivery to a device of a group at home here, and notes that it is to be removed: see `leave_group`. Doing it twice does nothing more. */
export async function leaveGroup(sql: Sql, gid: bigint, deviceId: bigint): Promise<LeaveOutcome> {
  const { call, values } = callFunction('leave_group', { p_gid: gid, p_device: deviceId, p_replica: false })
  const { rows } = await sql.query<{ outcome: LeaveOutcome }>({
    name: 'leave_group',
    text: `SELECT ${call} AS outcome`,
    values,
    row: rowOfGroup(gid),
  })
  return rows[0]?.outcome ?? 'unknown'
}

/** The same for the replica of a group elsewhere, whose hub has accepted the leave; nothing for a group at home here. */
export async function leaveReplica(sql: Sql, groupId: Uint8Array, deviceId: bigint): Promise<void> {
  await sql.query({
    name: 'leave_replica',
    text: 'SELECT leave_group(p_gid => f.gid, p_device => $2, p_replica => true) FROM followed_group f WHERE f.group_id = $1 AND f.gid IS NOT NULL',
    values: [groupId, deviceId],
    row: rowOfGroup(groupId),
  })
}

/**
 * Where the server proposes no Remove in this epoch: the members get one notice, and a Commit that removes the device clears it. See `note_removal`.
 * @param domain ours: members elsewhere ask their hub
 * @returns the devices that were told just now
 */
export async function noteRemoval(
  sql: Sql,
  removal: { domain: string; gid: bigint; deviceId: bigint; reason: 'leave' | 'revoke' },
): Promise<bigint[]> {
  const { domain, gid, deviceId, reason } = removal
  const { call, values } = callFunction('note_removal', { p_domain: domain, p_gid: gid, p_device: deviceId, p_reason: reason })
  const { rows } = await sql.query<{ told: bigint[] }>({
    name: 'note_removal',
    text: `SELECT ${call} AS told`,
    values,
    row: rowOfGroup(gid),
  })
  return rows[0]?.told ?? []
}

/** The groups at home here in which a device is a member, for its revocation. */
export async function openGroupsOf(sql: Sql, deviceId: bigint): Promise<bigint[]> {
  const { rows } = await sql.query<{ gid: bigint }>({
    text: `SELECT m.gid FROM member m JOIN groups g USING (gid)
            WHERE m.device_id = $1 AND m.until_seq IS NULL AND g.deleted_at IS NULL AND g.frozen IS NULL
              AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = m.gid) ORDER BY m.gid`,
    values: [deviceId],
  })
  return rows.map(({ gid }) => gid)
}

/** Ids of devices that are revoked, or whose account is disabled. Few among all, and found by their indexes. */
export const GONE_DEVICES = `
  SELECT d.id FROM device d WHERE d.revoked_at IS NOT NULL
  UNION SELECT d.id FROM account a CROSS JOIN LATERAL (SELECT id FROM device WHERE account_id = a.id OFFSET 0) d WHERE a.disabled_at IS NOT NULL`

/**
 * Revoked devices that are still members of a group which does not know it, and removals whose proposal is of an epoch
 * gone by: whatever a lost hint, a crash or a race left behind. "OFFSET 0" makes each step one look-up: PostgreSQL would join whole tables.
 */
export async function unproposedRemovals(
  sql: Sql,
  limit: number,
): Promise<{ gid: bigint; deviceId: bigint; reason: 'leave' | 'revoke' }[]> {
  const { rows } = await sql.query<{ gid: bigint; deviceId: bigint; reason: 'leave' | 'revoke' }>({
    text: `
      SELECT m.gid, gone.id AS "deviceId", 'revoke' AS reason
        FROM (${GONE_DEVICES}) gone
       CROSS JOIN LATERAL (SELECT m.gid FROM member m WHERE m.device_id = gone.id AND m.until_seq IS NULL OFFSET 0) m
       CROSS JOIN LATERAL (SELECT FROM groups g WHERE g.gid = m.gid AND g.deleted_at IS NULL AND g.frozen IS NULL OFFSET 0) g
       WHERE NOT EXISTS (SELECT FROM pending_removal r WHERE r.gid = m.gid AND r.device_id = gone.id AND r.reason = 'revoke' OFFSET 0)
         AND NOT EXISTS (SELECT FROM followed_group f WHERE f.gid = m.gid OFFSET 0)
      UNION ALL
      SELECT r.gid, r.device_id, r.reason
        FROM pending_removal r
       CROSS JOIN LATERAL (SELECT g.epoch FROM groups g WHERE g.gid = r.gid AND g.deleted_at IS NULL AND g.frozen IS NULL OFFSET 0) g
       WHERE r.proposed_epoch IS DISTINCT FROM g.epoch
       LIMIT $1`,
    values: [limit],
  })
  return rows
}

/** A revocation at the same time as the Commit that removes the device may note what is done already. */
export async function forgetRemovalsOfNobody(sql: Sql): Promise<void> {
  await sql.query({
    text: `DELETE FROM pending_removal r
            WHERE NOT EXISTS (SELECT FROM member m WHERE m.gid = r.gid AND m.device_id = r.device_id AND m.until_seq IS NULL OFFSET 0)`,
  })
}
