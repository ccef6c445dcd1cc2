import type { Sql } from '../../platform/postgres/sql.js'

/** Tokens that somebody asks for. */
export interface Batch {
  /** Domain. */
  readonly issuer: string
  readonly keyId: Uint8Array
  /** A user of ours by URI, or another provider by its domain. */
  readonly holder: string
  /** SHA-256 of the request. */
  readonly requestHash: Uint8Array
  readonly tokens: number
}

/** Counts a batch once. @returns false if it exceeds the quota; then nothing is counted */
export async function countTokens(
  sql: Sql,
  { issuer, keyId, holder, requestHash, tokens }: Batch,
  quota: number,
  forgetAt: Date,
): Promise<boolean> {
  const { rows } = await sql.query<{ counted: boolean }>({
    name: 'count_tokens_v1',
    text: 'SELECT count_tokens_v1($1, $2, $3, $4, $5, $6, $7) AS counted',
    values: [issuer, keyId, holder, requestHash, tokens, quota, forgetAt],
  })
  return rows[0]?.counted === true
}
