import { callFunction, type Sql } from '../../platform/postgres/sql.js'
import { rowOfGroup } from '../repository/group-row.js'

/** A group that waits for a user's word. */
export interface InvitationRow {
  gid: bigint
  groupId: Buffer
  roomId: string
  mode: 'public' | 'private'
  cipherSuite: number
  clients: string[]
}

/** The groups that wait for the user's word, ordered by gid, after `afterGid`. "OFFSET 0": one look-up for each of the user's devices. */
export async function invitationsOf(sql: Sql, userId: bigint, afterGid: bigint, limit: number): Promise<InvitationRow[]> {
  const { rows } = await sql.query<InvitationRow>({
    name: 'invitations_of',
    text: `SELECT g.gid, g.group_id AS "groupId", g.room_id AS "roomId", g.mode, g.cipher_suite AS "cipherSuite", w.clients
             FROM (
               SELECT m.gid, array_agg(d.client_uri ORDER BY d.client_uri) AS clients
                 FROM device d CROSS JOIN LATERAL (
                   SELECT m.gid FROM member m
                    WHERE m.device_id = d.id AND m.gid > $2 AND m.delivery = 'invited' AND m.until_seq IS NULL AND m.read_until IS NULL OFFSET 0
                 ) m WHERE d.account_id = $1 GROUP BY m.gid ORDER BY m.gid LIMIT $3
             ) w CROSS JOIN LATERAL (SELECT * FROM groups g WHERE g.gid = w.gid AND g.deleted_at IS NULL OFFSET 0) g
            ORDER BY g.gid`,
    values: [userId, afterGid, limit],
  })
  return rows
}

/** The user's devices for which a group waits. */
export async function invitedDevices(sql: Sql, groupId: Uint8Array, userId: bigint): Promise<{ deviceId: bigint; client: string }[]> {
  const { rows } = await sql.query<{ deviceId: bigint; client: string }>({
    name: 'invited_devices',
    text: `SELECT d.id AS "deviceId", d.client_uri AS client FROM groups g CROSS JOIN device d CROSS JOIN LATERAL (
             SELECT FROM member m
              WHERE m.device_id = d.id AND m.gid = g.gid AND m.delivery = 'invited' AND m.until_seq IS NULL AND m.read_until IS NULL OFFSET 0
           ) m WHERE g.group_id = $1 AND d.account_id = $2 ORDER BY d.id`,
    values: [groupId, userId],
  })
  return rows
}

/** See `accept_invitation`. @returns false if the user has no device in the group */
export async function acceptInvitation(sql: Sql, groupId: Uint8Array, userId: bigint): Promise<boolean> {
  const { call, values } = callFunction('accept_invitation', { p_group_id: groupId, p_user: userId })
  const { rows } = await sql.query<{ outcome: string }>({
    name: 'accept_invitation',
    text: `SELECT ${call} AS outcome`,
    values,
    row: rowOfGroup(groupId),
  })
  return rows[0]?.outcome === 'accepted'
}

/** The choice of a user; not to be asked is the default. */
export async function wantsToBeAsked(sql: Sql, userId: bigint): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'wants_to_be_asked',
    text: 'SELECT FROM asking_account WHERE account_id = $1',
    values: [userId],
  })
  return rows.length > 0
}

/** Idempotent: only users who want to be asked have a row. */
export async function setAsked(sql: Sql, userId: bigint, asked: boolean): Promise<void> {
  const text = asked
    ? 'INSERT INTO asking_account (account_id) VALUES ($1) ON CONFLICT DO NOTHING'
    : 'DELETE FROM asking_account WHERE account_id = $1'
  await sql.query({ text, values: [userId] })
}
