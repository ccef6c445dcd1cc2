import type { Sql } from '../../platform/postgres/sql.js'
import type { IssuerKeyPin } from './judge-issuer-keys.js'

export interface TokenIssuer {
  keys: IssuerKeyPin[]
  batchSize: number
}

/** Takes turns at the keys of one issuer; until the end of the transaction. */
export async function lockIssuer(sql: Sql, issuer: string): Promise<void> {
  await sql.query({ text: 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', values: [`token issuer ${issuer}`] })
}

/** What was believed of an issuer; undefined before the first time. */
export async function readIssuer(sql: Sql, issuer: string): Promise<TokenIssuer | undefined> {
  const { rows } = await sql.query<TokenIssuer>({
    name: 'read_token_issuer',
    text: 'SELECT keys, batch_size AS "batchSize" FROM token_issuer WHERE issuer = $1',
    values: [issuer],
  })
  return rows[0]
}

export async function storeIssuer(sql: Sql, issuer: string, { keys, batchSize }: TokenIssuer): Promise<void> {
  await sql.query({
    name: 'store_token_issuer',
    text: `INSERT INTO token_issuer (issuer, keys, batch_size) VALUES ($1, $2, $3)
           ON CONFLICT (issuer) DO UPDATE SET keys = excluded.keys, batch_size = excluded.batch_size, refusal = NULL`,
    values: [issuer, JSON.stringify(keys), batchSize],
  })
}

/** Its directory was not believed. @returns whether that is news */
export async function noteIssuerRefusal(sql: Sql, issuer: string, why: string): Promise<boolean> {
  const { rowCount } = await sql.query({
    name: 'note_issuer_refusal',
    text: 'UPDATE token_issuer SET refusal = $2 WHERE issuer = $1 AND refusal IS DISTINCT FROM $2',
    values: [issuer, why],
  })
  return rowCount === 1
}

/** Users here ask for its tokens. Written once an hour. */
export async function noteIssuerUse(sql: Sql, issuer: string): Promise<void> {
  await sql.query({
    name: 'note_issuer_use',
    text: `UPDATE token_issuer SET used_at = now() WHERE issuer = $1 AND used_at < now() - interval '1 hour'`,
    values: [issuer],
  })
}

/** Issuers that users here have asked for lately: their announcements are not to be missed. */
export async function issuersInUse(sql: Sql, limit: number): Promise<string[]> {
  const { rows } = await sql.query<{ issuer: string }>({
    name: 'issuers_in_use',
    text: `SELECT issuer FROM token_issuer WHERE used_at > now() - interval '14 days' ORDER BY used_at DESC LIMIT $1`,
    values: [limit],
  })
  return rows.map(({ issuer }) => issuer)
}

/** Those of whom nobody has asked for longer than any of their keys is good. */
export async function forgetIssuers(sql: Sql): Promise<void> {
  await sql.query(`DELETE FROM token_issuer WHERE used_at < now() - interval '200 days'`)
}
