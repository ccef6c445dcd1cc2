import type { Sql } from '../../platform/postgres/sql.js'

/** Any fixed number: the advisory lock under which keys are made and dropped, on all nodes. */
const KEY_LOCK = 6_245_111
/** A token whose key was good a moment ago is still being spent: its partition stays a day longer. */
const KEPT_ON = `interval '1 day'`
/** A client may have begun with a key that has just made room for the next one. */
const ISSUES_ON = `interval '1 hour'`

export interface StoredIssuerKey {
  id: number
  keyId: Buffer
  truncatedId: number
  tokenKey: Buffer
  sealedPrivate: Buffer
  issuesFrom: Date
  issuesUntil: Date
  redeemsUntil: Date
  /** Whether it signs now, by PostgreSQL's clock. */
  issues: boolean
  /** Clients are to use it now, or will. */
  published: boolean
  /** It signs for no longer than `leadMs`. */
  ends: boolean
}

/** Waits until nobody else makes or drops issuer keys; until the end of the transaction. */
export async function lockIssuerKeys(sql: Sql): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [KEY_LOCK])
}

/**
 * The keys by which tokens may still be spent, in the order in which they sign.
 * @param leadMs milliseconds before the end of a key's time from which on it `ends`
 */
export async function readIssuerKeys(sql: Sql, leadMs = 0): Promise<StoredIssuerKey[]> {
  const { rows } = await sql.query<StoredIssuerKey>(
    `SELECT id, key_id AS "keyId", truncated_id AS "truncatedId", token_key AS "tokenKey", sealed_private AS "sealedPrivate",
            issues_from AS "issuesFrom", issues_until AS "issuesUntil", redeems_until AS "redeemsUntil",
            issues_from <= now() AND now() < issues_until + ${ISSUES_ON} AS issues, now() < issues_until AS published,
            issues_until < now() + $1 * interval '1 millisecond' AS ends
       FROM issuer_key WHERE redeems_until > now() ORDER BY issues_from`,
    [leadMs],
  )
  return rows
}

export interface NewIssuerKey {
  readonly keyId: Uint8Array
  readonly truncatedId: number
  readonly tokenKey: Uint8Array
  readonly sealedPrivate: Uint8Array
}

/** A key that signs for one period from `from` on (undefined: now), and the partition for what is spent of it. */
export async function insertIssuerKey(sql: Sql, key: NewIssuerKey, from: Date | undefined, periodMs: number): Promise<void> {
  const { rows } = await sql.query<{ id: number }>(
    `INSERT INTO issuer_key (key_id, truncated_id, token_key, sealed_private, issues_from, issues_until, redeems_until)
     SELECT $1, $2, $3, $4, f, f + p, f + 2 * p
       FROM (SELECT coalesce($5::timestamptz, now()) AS f, $6 * interval '1 millisecond' AS p) AS times
     RETURNING id`,
    [key.keyId, key.truncatedId, key.tokenKey, key.sealedPrivate, from ?? null, periodMs],
  )
  const id = rows[0]?.id
  if (id === undefined) throw new Error('An issuer key was not stored')
  await sql.query(`CREATE TABLE spent_token_${id} PARTITION OF spent_token FOR VALUES IN (${id})`)
}

/** Drops keys whose tokens can no longer be spent, with the list of their spent tokens. @returns how many */
export async function dropIssuerKeysPast(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ id: number }>(`DELETE FROM issuer_key WHERE redeems_until + ${KEPT_ON} < now() RETURNING id`)
  for (const { id } of rows) await sql.query(`DROP TABLE IF EXISTS spent_token_${id}`)
  return rows.length
}

/** Counts of tokens whose time to be forgotten has come, also those of other providers' keys. */
export async function dropQuotasPast(sql: Sql): Promise<void> {
  await sql.query('DELETE FROM token_quota WHERE forget_at < now()')
}

/** No token of the keys so far is taken any more; the next request makes a new key. */
export async function retireIssuerKeys(sql: Sql): Promise<void> {
  await sql.query('UPDATE issuer_key SET issues_until = least(issues_until, now()), redeems_until = least(redeems_until, now())')
}
