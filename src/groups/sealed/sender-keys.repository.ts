import type { Sql } from '../../platform/postgres/sql.js'

export interface Publication {
  readonly gid: bigint
  readonly deviceId: bigint
  readonly userId: bigint
  readonly epoch: bigint
  readonly publicKey: Uint8Array
}

export interface PublicationOutcome {
  outcome: 'accepted' | 'conflict' | 'not-a-member' | 'frozen' | 'stale' | 'ahead' | 'unknown' | 'deleted'
  currentEpoch: bigint
  incarnation: number
}

export async function publishSenderKey(sql: Sql, key: Publication, maxPastEpochs: number): Promise<PublicationOutcome> {
  const { rows } = await sql.query<PublicationOutcome>({
    name: 'publish_sender_key_v1',
    text: `SELECT outcome, current_epoch AS "currentEpoch", incarnation FROM publish_sender_key_v1($1, $2, $3, $4, $5, $6)`,
    values: [key.gid, key.deviceId, key.userId, key.epoch, key.publicKey, maxPastEpochs],
  })
  if (!rows[0]) throw new Error('publish_sender_key_v1 answered nothing')
  return rows[0]
}

export async function readSenderKeys(sql: Sql, gid: bigint, epoch: bigint): Promise<{ user: string; publicKey: Buffer }[]> {
  const { rows } = await sql.query<{ user: string; publicKey: Buffer }>({
    name: 'read_sender_keys',
    text: `SELECT a.user_uri AS user, k.public_key AS "publicKey" FROM sender_key k JOIN account a ON a.id = k.user_id
            WHERE k.gid = $1 AND k.epoch = $2 ORDER BY a.user_uri`,
    values: [gid, epoch],
  })
  return rows
}

/** The group in which a key counts for an epoch. Undefined also where there is no such group. */
export async function groupOfSenderKey(sql: Sql, groupId: Uint8Array, epoch: bigint, publicKey: Uint8Array): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ gid: bigint }>({
    name: 'group_of_sender_key',
    text: `SELECT g.gid FROM groups g
            WHERE g.group_id = $1 AND EXISTS (SELECT FROM sender_key k WHERE k.gid = g.gid AND k.epoch = $2 AND k.public_key = $3)`,
    values: [groupId, epoch, publicKey],
  })
  return rows[0]?.gid
}
