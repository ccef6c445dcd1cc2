import { type Sql, callFunction } from '../../platform/postgres/sql.js'
import { rowOfGroup } from '../repository/group-row.js'
import type { RefusedSubmission } from '../repository/submissions.repository.js'

/** A device says that this is the sender key of an epoch: Ed25519, 32 bytes. One for each user and epoch. */
export interface Publication {
  readonly gid: bigint
  readonly deviceId: bigint
  readonly userId: bigint
  readonly epoch: bigint
  readonly publicKey: Uint8Array
}

/** `conflict`: the user has published another one. */
export type PublicationOutcome = { kind: 'accepted' } | { kind: 'conflict' } | RefusedSubmission

/** See `publish_sender_key`. @param maxPastEpochs how many epochs behind the group's the key may be */
export async function publishSenderKey(sql: Sql, key: Publication, maxPastEpochs: number): Promise<PublicationOutcome> {
  const { call, values } = callFunction('publish_sender_key', {
    p_gid: key.gid,
    p_device: key.deviceId,
    p_user: key.userId,
    p_epoch: key.epoch,
    p_key: key.publicKey,
    p_max_past: maxPastEpochs,
  })
  const { rows } = await sql.query<PublicationOutcome>({
    name: 'publish_sender_key',
    text: `SELECT outcome AS kind, current_epoch AS epoch, incarnation, head_seq AS "headSeq" FROM ${call}`,
    values,
    row: rowOfGroup(key.gid),
  })
  if (!rows[0]) throw new Error('publish_sender_key returned no row')
  return rows[0]
}

/** What each user's devices have published for an epoch, by user URI. */
export async function readSenderKeys(sql: Sql, gid: bigint, epoch: bigint): Promise<{ user: string; publicKey: Buffer }[]> {
  const { rows } = await sql.query<{ user: string; publicKey: Buffer }>({
    name: 'read_sender_keys',
    text: `SELECT (SELECT a.user_uri FROM account a WHERE a.id = k.user_id) AS user, k.public_key AS "publicKey" FROM sender_key k
            WHERE k.gid = $1 AND k.epoch = $2 ORDER BY 1`,
    values: [gid, epoch],
  })
  return rows
}

/** What there is to know of a post before anything is counted or stored for it. */
export interface PostStanding {
  gid: bigint
  /** A member has said that posts of the epoch are signed with this key. */
  published: boolean
  /** The same bytes are in the log. */
  known: boolean
  spent: boolean
  pending: boolean
  frozen: 'reinit' | 'reset' | null
  successorGroupId: Buffer | null
  currentEpoch: bigint
  incarnation: number
  /** Lowest epoch that is taken. */
  floor: bigint
}

/** A post whose token and proof were checked: its group and epoch, the key it is signed with, SHA-256 of its bytes, and its token. */
export interface PostQuestion {
  /** In MLS: who posts from elsewhere knows no other. */
  readonly groupId: Uint8Array
  readonly epoch: bigint
  readonly publicKey: Uint8Array
  readonly hash: Uint8Array
  readonly issuerKey: number
  readonly nonce: Uint8Array
}

/** Undefined where there is no such group. The statement that appends judges again; this is so that refusals cost nobody else anything. */
export async function standingOfPost(sql: Sql, post: PostQuestion, maxPastEpochs: number): Promise<PostStanding | undefined> {
  const { groupId, epoch, publicKey, hash, issuerKey, nonce } = post
  const { rows } = await sql.query<PostStanding>({
    name: 'sealed_standing',
    text: `SELECT g.gid, g.frozen, CASE WHEN g.successor_group_id IS NOT NULL THEN successor_address(g) END AS "successorGroupId", g.epoch AS "currentEpoch", g.incarnation,
                  greatest(g.post_floor, g.epoch - $7) AS floor,
                  EXISTS (SELECT FROM sender_key k WHERE k.gid = g.gid AND k.epoch = $2 AND k.public_key = $3) AS published,
                  EXISTS (SELECT FROM log l WHERE l.gid = g.gid AND l.hash = $4) AS known,
                  EXISTS (SELECT FROM spent_token t WHERE t.issuer_key = $5 AND t.nonce = $6) AS spent,
                  EXISTS (SELECT FROM pending_removal r JOIN member m USING (gid, device_id)
                           WHERE r.gid = g.gid AND m.until_seq IS NULL) AS pending
             FROM groups g WHERE g.gid = (SELECT own_group(p_mls_group_id => $1)) AND g.deleted_at IS NULL`,
    values: [groupId, epoch, publicKey, hash, issuerKey, nonce, maxPastEpochs],
  })
  return rows[0]
}
