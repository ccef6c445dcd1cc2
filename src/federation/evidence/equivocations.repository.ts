import type { Sql } from '../../platform/postgres/sql.js'

/** Keeps the hub's signature of the head: with another one for the same place it proves two histories. */
export async function keepHeadSignature(sql: Sql, gid: bigint, keyId: string, signature: Uint8Array): Promise<void> {
  await sql.query({
    name: 'keep_head_signature',
    text: 'UPDATE followed_group SET head_signature = $3, head_key_id = $2 WHERE gid = $1',
    values: [gid, keyId, signature],
  })
}

/** Proof of two histories; the lane of the group stops with it. */
export interface Equivocation {
  groupId: Uint8Array
  incarnation: number
  seq: bigint
  keptChain: Uint8Array
  otherChain: Uint8Array
  otherSignature: Uint8Array
  otherKeyId: string
}

/** Keeps both signed histories of one place, and stops the replica until an operator has looked at it. The same proof is kept once. */
export async function keepEquivocation(sql: Sql, found: Equivocation): Promise<void> {
  await sql.query({
    text: `WITH stopped AS (
             UPDATE followed_group SET stopped = 'equivocation' WHERE group_id = $1 RETURNING head_signature, head_key_id
           )
           INSERT INTO equivocation (group_id, incarnation, seq, kept_chain, kept_signature, kept_key_id, other_chain, other_signature, other_key_id)
           SELECT $1, $2, $3, $4, s.head_signature, s.head_key_id, $5, $6, $7 FROM stopped s ON CONFLICT DO NOTHING`,
    values: [found.groupId, found.incarnation, found.seq, found.keptChain, found.otherChain, found.otherSignature, found.otherKeyId],
  })
}
