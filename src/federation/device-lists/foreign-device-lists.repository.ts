import type { Sql } from '../../platform/postgres/sql.js'

/** A list that a user's provider gave. */
export interface ListCopy {
  readonly identity: Uint8Array
  readonly identities: number
  readonly entries: readonly Uint8Array[]
  readonly head: Uint8Array
}

export async function readCopy(sql: Sql, user: string): Promise<(ListCopy & { ageMs: number }) | undefined> {
  const { rows } = await sql.query<ListCopy & { ageMs: number }>({
    text: `SELECT f.identity, f.identities, f.entries, f.head, (extract(epoch FROM now() - f.fetched_at) * 1000)::float8 AS "ageMs"
             FROM account a JOIN foreign_device_list f ON f.account_id = a.id WHERE a.user_uri = $1 AND a.deleted_at IS NULL`,
    values: [user],
  })
  return rows[0]
}

/**
 * Keeps a list, unless a longer one of this identity, or a later identity, was written meanwhile; nothing of a user who is being erased. What stays
 * with the name of a user who was erased goes to the row when its devices are recorded. Call it in a transaction.
 */
export async function writeCopy(sql: Sql, user: string, { identity, identities, entries, head }: ListCopy): Promise<void> {
  await sql.query({ text: 'INSERT INTO account (user_uri) VALUES ($1) ON CONFLICT DO NOTHING', values: [user] })
  await sql.query({
    text: `INSERT INTO foreign_device_list AS f (account_id, identity, number, identities, entries, head, fetched_at)
           SELECT id, $2, $3, $4, $5, $6, now() FROM account WHERE user_uri = $1 AND deleted_at IS NULL
           ON CONFLICT (account_id) DO UPDATE SET identity = excluded.identity, number = excluded.number, identities = excluded.identities,
             entries = excluded.entries, head = excluded.head, fetched_at = excluded.fetched_at
            WHERE f.identities < excluded.identities OR (f.identity = excluded.identity AND f.number <= excluded.number)`,
    values: [user, identity, entries.length, identities, entries, head],
  })
}
