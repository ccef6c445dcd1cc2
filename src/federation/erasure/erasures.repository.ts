import type { Sql } from '../../platform/postgres/sql.js'

export interface PendingErasure {
  erasureId: Buffer
  user: string
  /** Refusals in a row. */
  failures: number
}

/** Erasures that the peer has not confirmed and may be asked for now, the oldest first. */
export async function pendingErasures(sql: Sql, domain: string, limit: number): Promise<PendingErasure[]> {
  const { rows } = await sql.query<PendingErasure>({
    name: 'pending_erasures',
    text: `SELECT erasure_id AS "erasureId", user_uri AS user, failures FROM peer_erasure
            WHERE domain = $1 AND receipt IS NULL AND user_uri IS NOT NULL AND coalesce(retry_at <= now(), true) ORDER BY asked_at LIMIT $2`,
    values: [domain, limit],
  })
  return rows
}

/**
 * The peer has confirmed: its user's name is forgotten here.
 * @param receipt the encoded ErasureReceipt, signed, and the hash of the kept directory that names the key
 */
export async function keepErasureReceipt(
  sql: Sql,
  domain: string,
  erasureId: Uint8Array,
  receipt: { readonly bytes: Uint8Array; readonly directory: Uint8Array | null },
): Promise<void> {
  await sql.query({
    text: `UPDATE peer_erasure SET receipt = $3, receipt_directory = $4, receipt_at = now(), user_uri = NULL, retry_at = NULL, last_error = NULL
            WHERE domain = $1 AND erasure_id = $2`,
    values: [domain, erasureId, receipt.bytes, receipt.directory],
  })
}

/** The peer does not do it now; it is tried again in `delayMs`. @param why for the operator, cut to 500 characters */
export async function postponeErasure(
  sql: Sql,
  domain: string,
  { erasureId, failures }: PendingErasure,
  delayMs: number,
  why: string,
): Promise<void> {
  await sql.query({
    text: `UPDATE peer_erasure SET failures = $3, retry_at = now() + $4 * interval '1 millisecond', last_error = $5
            WHERE domain = $1 AND erasure_id = $2`,
    values: [domain, erasureId, failures + 1, delayMs, why.slice(0, 500)],
  })
}

/** A user of the peer, as known here: the id of its account. Its row is locked until the end of the transaction. */
export async function lockForeignUser(sql: Sql, user: string): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ id: bigint }>({
    name: 'lock_foreign_user',
    text: 'SELECT a.id FROM account a WHERE a.user_uri = $1 FOR NO KEY UPDATE',
    values: [user],
  })
  return rows[0]?.id
}

/** What is known of a user of another provider without an account here: of consent, and who claimed. */
export async function forgetStranger(sql: Sql, user: string): Promise<void> {
  await sql.query({ text: 'DELETE FROM consent WHERE target = $1', values: [user] })
  await sql.query({ text: 'DELETE FROM consent WHERE requester = $1', values: [user] })
  await sql.query({ text: 'UPDATE key_package_claim SET claimer = NULL WHERE claimer = $1', values: [user] })
}
