import type { Sql } from '../../platform/postgres/sql.js'
import type { ChallengePurpose } from './challenge-purpose.js'

export interface StoredChallenge {
  readonly expiresAt: Date
  /** null: the client named none. */
  readonly purpose: string | null
}

/** @returns its expiry, in whole seconds because it is signed as such */
export async function insertChallenge(
  sql: Sql,
  nonce: Uint8Array,
  client: string,
  purpose: ChallengePurpose | undefined,
  ttlMs: number,
): Promise<Date> {
  const { rows } = await sql.query<{ expiresAt: Date }>({
    name: 'insert_challenge',
    text: `INSERT INTO challenge (nonce, client_uri, purpose, expires_at)
           VALUES ($1, $2, $3, date_trunc('second', now() + $4 * interval '1 millisecond'))
           RETURNING expires_at AS "expiresAt"`,
    values: [nonce, client, purpose ?? null, ttlMs],
  })
  const [row] = rows
  if (row === undefined) throw new Error('INSERT … RETURNING gave no row')
  return row.expiresAt
}

/** The challenge, if it is this client's and not over. */
export async function findChallenge(sql: Sql, nonce: Uint8Array, client: string): Promise<StoredChallenge | undefined> {
  const { rows } = await sql.query<StoredChallenge>({
    name: 'find_challenge',
    text: 'SELECT expires_at AS "expiresAt", purpose FROM challenge WHERE nonce = $1 AND client_uri = $2 AND expires_at > now()',
    values: [nonce, client],
  })
  return rows[0]
}

/**
 * Spends a challenge: true for exactly one transaction that commits, however many try. To be the first statement of the
 * transaction that does what the challenge authorises, so that neither happens without the other. Its purpose was looked at
 * by `findChallenge`, and never changes.
 */
export async function consumeChallenge(sql: Sql, nonce: Uint8Array, client: string): Promise<boolean> {
  const { rowCount } = await sql.query({
    name: 'consume_challenge',
    text: 'DELETE FROM challenge WHERE nonce = $1 AND client_uri = $2 AND expires_at > now()',
    values: [nonce, client],
  })
  return rowCount === 1
}

/** `findChallenge` and `consumeChallenge` take none of these. */
export async function deleteExpiredChallenges(sql: Sql): Promise<void> {
  await sql.query('DELETE FROM challenge WHERE expires_at <= now()')
}
