import type { Sql } from '../../platform/postgres/sql.js'

export interface PendingDeletion {
  groupId: Buffer
  roomId: string
  incarnation: number
  /** Refusals in a row. */
  failures: number
}

/** Deletions that the peer has not confirmed and may be asked for now, the oldest first. */
export async function pendingDeletions(sql: Sql, domain: string, limit: number): Promise<PendingDeletion[]> {
  const { rows } = await sql.query<PendingDeletion>({
    name: 'pending_deletions',
    text: `SELECT group_id AS "groupId", room_id AS "roomId", incarnation, failures FROM peer_deletion
            WHERE domain = $1 AND receipt IS NULL AND coalesce(retry_at <= now(), true) ORDER BY asked_at LIMIT $2`,
    values: [domain, limit],
  })
  return rows
}

export interface KeptReceipt {
  /** The encoded DeletionReceipt, signed. */
  readonly bytes: Uint8Array
  /** How many it has deleted. */
  readonly entries: bigint
  /** Hash of the kept directory that names the key. */
  readonly directory: Uint8Array | null
}

/** The peer has confirmed a deletion. */
export async function keepReceipt(sql: Sql, domain: string, groupId: Uint8Array, receipt: KeptReceipt): Promise<void> {
  await sql.query({
    text: `UPDATE peer_deletion SET receipt = $3, deleted_entries = $4, receipt_directory = $5, receipt_at = now(), retry_at = NULL, last_error = NULL
            WHERE domain = $1 AND group_id = $2`,
    values: [domain, groupId, receipt.bytes, receipt.entries, receipt.directory],
  })
}

/** The peer refuses this deletion, which is tried again in `delayMs`. @param why for the operator, cut to 500 characters */
export async function postponeDeletion(
  sql: Sql,
  domain: string,
  { groupId, failures }: PendingDeletion,
  delayMs: number,
  why: string,
): Promise<void> {
  await sql.query({
    text: `UPDATE peer_deletion SET failures = $3, retry_at = now() + $4 * interval '1 millisecond', last_error = $5 WHERE domain = $1 AND group_id = $2`,
    values: [domain, groupId, failures + 1, delayMs, why.slice(0, 500)],
  })
}

export interface RefusedDeletion {
  domain: string
  groupId: Buffer
  failures: number
  lastError: string
}

/** Deletions that peers have refused and not confirmed since. */
export async function refusedDeletions(sql: Sql): Promise<RefusedDeletion[]> {
  const { rows } = await sql.query<RefusedDeletion>(
    `SELECT domain, group_id AS "groupId", failures, last_error AS "lastError" FROM peer_deletion
      WHERE receipt IS NULL AND last_error IS NOT NULL ORDER BY domain, asked_at`,
  )
  return rows
}

/** @returns how many are tried again with the next sweep */
export async function resumeDeletions(sql: Sql, domain: string): Promise<number> {
  const { rowCount } = await sql.query({
    text: 'UPDATE peer_deletion SET retry_at = NULL WHERE domain = $1 AND receipt IS NULL AND retry_at IS NOT NULL',
    values: [domain],
  })
  return rowCount ?? 0
}
