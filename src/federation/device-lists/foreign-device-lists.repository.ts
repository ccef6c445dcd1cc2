import type { Sql } from '../../platform/postgres/sql.js'

/** A list that a user's provider gave. */
export interface ListCopy {
  readonly identity: Uint8Array
  readonly identities: number
  readonly entries: readonly Uint8Array[]
  readonly head: Uint8Array
}

/** A list that was checked, with what its entries say. */
export interface CheckedCopy extends ListCopy {
  /** Number of the entry that ended the certificate in entry i + 1, at i; null: none did. */
  readonly ends: readonly (number | null)[]
}

/** How long a list is kept in the database for a user who is in no group here: somebody may be about to add its device. */
const WANTED = "interval '1 day'"

export async function readCopy(sql: Sql, user: string): Promise<(ListCopy & { ageMs: number }) | undefined> {
  const { rows } = await sql.query<ListCopy & { ageMs: number }>({
    text: `SELECT f.identity, f.identities, f.entries, f.head, (extract(epoch FROM now() - f.fetched_at) * 1000)::float8 AS "ageMs"
             FROM account a JOIN foreign_device_list f ON f.account_id = a.id WHERE a.user_uri = $1 AND a.deleted_at IS NULL`,
    values: [user],
  })
  return rows[0]
}

/**
 * The list is the same, with a newer head: its entries, which can be long, are not written again.
 * @param wanted for a device of the user that is about to join: the list is kept for a day from now on
 * @returns false: another one is kept, or none
 */
export async function renewCopy(
  sql: Sql,
  user: string,
  { identity, identities, entries, head, ends }: CheckedCopy,
  wanted: boolean,
): Promise<boolean> {
  const { rowCount } = await sql.query({
    text: `UPDATE foreign_device_list f SET head = $4, identities = $5, ends = $6, fetched_at = now(),
                  wanted_until = CASE WHEN $7 THEN now() + ${WANTED} ELSE f.wanted_until END
            WHERE f.account_id = (SELECT a.id FROM account a WHERE a.user_uri = $1 AND a.deleted_at IS NULL)
              AND f.identity = $2 AND f.number = $3`,
    values: [user, identity, entries.length, head, identities, ends, wanted],
  })
  return rowCount !== 0
}

/**
 * Keeps a list, unless a longer one of this identity, or a later identity, was written meanwhile. Only of users whose devices are recorded, and who
 * are not being erased; and while there is room for the lists of their provider.
 * @param kept `wanted`: see `renewCopy`, otherwise only where the user has a list here; `mostBytes`: of all lists of a provider
 */
export async function storeCopy(
  sql: Sql,
  user: string,
  { identity, identities, entries, head, ends }: CheckedCopy,
  { wanted, mostBytes }: { wanted: boolean; mostBytes: number },
): Promise<boolean> {
  const bytes = entries.reduce((sum, { length }) => sum + length, 0)
  const { rowCount } = await sql.query({
    text: `INSERT INTO foreign_device_list AS f (account_id, identity, number, identities, entries, head, ends, fetched_at, wanted_until)
           SELECT a.id, $2, $3, $4, $5, $6, $7, now(), now() + ${WANTED} FROM account a
            WHERE a.user_uri = $1 AND a.deleted_at IS NULL
              AND CASE WHEN $8 THEN EXISTS (SELECT FROM foreign_user u WHERE u.account_id = a.id)
                  ELSE EXISTS (SELECT FROM foreign_device_list l WHERE l.account_id = a.id) END
              AND coalesce((SELECT p.device_list_bytes FROM peer p WHERE p.domain = provider_of($1)), 0) + $9 <= $10
           ON CONFLICT (account_id) DO UPDATE SET identity = excluded.identity, number = excluded.number, identities = excluded.identities,
             entries = excluded.entries, head = excluded.head, ends = excluded.ends, fetched_at = excluded.fetched_at,
             wanted_until = CASE WHEN $8 THEN excluded.wanted_until ELSE f.wanted_until END
            WHERE f.identities < excluded.identities OR (f.identity = excluded.identity AND f.number <= excluded.number)`,
    values: [user, identity, entries.length, identities, entries, head, ends, wanted, bytes, mostBytes],
  })
  return rowCount !== 0
}

/**
 * Deletes lists that nobody waits for any more, of users without a device in a group here; those of others are looked at again in a day.
 * @returns how many were looked at: fewer than `limit` is all
 */
export async function dropUnwantedCopies(sql: Sql, limit: number): Promise<number> {
  const { rows } = await sql.query<{ seen: number }>({
    name: 'drop_unwanted_copies',
    text: `WITH due AS MATERIALIZED (
             SELECT f.account_id FROM foreign_device_list f WHERE f.wanted_until < now() ORDER BY f.wanted_until LIMIT $1 FOR UPDATE SKIP LOCKED
           ), tied AS MATERIALIZED (
             SELECT x.account_id, EXISTS (
               SELECT FROM (SELECT d.id FROM device d WHERE d.account_id = x.account_id OFFSET 0) d
                CROSS JOIN LATERAL (SELECT FROM member m WHERE m.device_id = d.id AND m.until_seq IS NULL LIMIT 1 OFFSET 0) m
             ) AS is_member FROM due x
           ), kept AS (
             UPDATE foreign_device_list f SET wanted_until = now() + ${WANTED} FROM tied x WHERE x.account_id = f.account_id AND x.is_member
           ), dropped AS (
             DELETE FROM foreign_device_list f USING tied x WHERE x.account_id = f.account_id AND NOT x.is_member
           )
           SELECT count(*)::int AS seen FROM due`,
    values: [limit],
  })
  return rows[0]?.seen ?? 0
}
