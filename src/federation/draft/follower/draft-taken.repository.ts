import type { Sql } from '../../../platform/postgres/sql.js'

/** Remembers that a hub has accepted what could not be placed yet. @param hash SHA-256 of the MLSMessage */
export async function noteTaken(sql: Sql, roomId: string, hash: Uint8Array, acceptedAtMs: number): Promise<void> {
  await sql.query({
    name: 'note_draft_taken',
    text: `INSERT INTO draft_taken (hash, room_id, accepted_at) VALUES ($1, $2, to_timestamp($3 / 1000.0)) ON CONFLICT DO NOTHING`,
    values: [hash, roomId, acceptedAtMs],
  })
}

/** When the hub of a room has accepted what is not placed yet, in milliseconds; undefined: nothing is known of that. */
export async function takenAt(sql: Sql, roomId: string, hash: Uint8Array): Promise<bigint | undefined> {
  const { rows } = await sql.query<{ at: Date }>({
    name: 'draft_taken_at',
    text: 'SELECT accepted_at AS at FROM draft_taken WHERE hash = $1 AND room_id = $2',
    values: [hash, roomId],
  })
  return rows[0] && BigInt(rows[0].at.getTime())
}

/** What a client has not sent again within a day is not placed any more. */
export async function purgeTaken(sql: Sql): Promise<void> {
  await sql.query({
    text: `DELETE FROM draft_taken WHERE ctid = ANY (ARRAY(
             SELECT t.ctid FROM draft_taken t WHERE t.taken_at < now() - interval '1 day' ORDER BY t.taken_at LIMIT 10000))`,
  })
}

/** It is placed now. */
export async function forgetTaken(sql: Sql, roomId: string, hash: Uint8Array): Promise<void> {
  await sql.query({ name: 'forget_draft_taken', text: 'DELETE FROM draft_taken WHERE hash = $1 AND room_id = $2', values: [hash, roomId] })
}
