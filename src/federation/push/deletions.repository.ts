import type { Sql } from '../../platform/postgres/sql.js'

export interface PendingDeletion {
  groupId: Buffer
  roomId: string
  incarnation: number
}

export async function pendingDeletions(sql: Sql, domain: string, limit: number): Promise<PendingDeletion[]> {
  const { rows } = await sql.query<PendingDeletion>({
    name: 'pending_deletions',
    text: `SELECT group_id AS "groupId", room_id AS "roomId", incarnation FROM peer_deletion
            WHERE domain = $1 AND receipt IS NULL ORDER BY asked_at LIMIT $2`,
    values: [domain, limit],
  })
  return rows
}

export async function keepReceipt(sql: Sql, domain: string, groupId: Uint8Array, receipt: Uint8Array, entries: bigint): Promise<void> {
  await sql.query({
    text: 'UPDATE peer_deletion SET receipt = $3, deleted_entries = $4, receipt_at = now() WHERE domain = $1 AND group_id = $2',
    values: [domain, groupId, receipt, entries],
  })
}
