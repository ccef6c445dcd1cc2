import { type Sql, callFunction } from '../../platform/postgres/sql.js'

/** Tokens that somebody asks for. */
export interface Batch {
  /** Domain. */
  readonly issuer: string
  readonly keyId: Uint8Array
  /** A local user by URI, or another provider by its domain. */
  readonly holder: string
  /** SHA-256 of the request. */
  readonly requestHash: Uint8Array
  readonly tokens: number
}

export interface Counted {
  /** `repeated`: it was counted before. `exceeded`: it goes beyond the quota, and nothing is counted. */
  readonly outcome: 'counted' | 'repeated' | 'exceeded'
  /** The signatures that a repeated batch got, one after the other, if they are kept. */
  readonly kept: Buffer | undefined
}

/**
 * Counts a batch once, against a quota: the same request again counts nothing (`count_tokens`).
 * @param quota tokens of one key for one holder @param forgetAt when what was counted for the key may be forgotten
 */
export async function countTokens(
  sql: Sql,
  { issuer, keyId, holder, requestHash, tokens }: Batch,
  quota: number,
  forgetAt: Date,
): Promise<Counted> {
  const { call, values } = callFunction('count_tokens', {
    p_issuer: issuer,
    p_key: keyId,
    p_holder: holder,
    p_request: requestHash,
    p_tokens: tokens,
    p_quota: quota,
    p_forget_at: forgetAt,
  })
  const { rows } = await sql.query<{ outcome: Counted['outcome']; kept: Buffer | null }>({
    name: 'count_tokens',
    text: `SELECT outcome, kept FROM ${call}`,
    values,
  })
  return { outcome: rows[0]?.outcome ?? 'exceeded', kept: rows[0]?.kept ?? undefined }
}

/** Keeps the answer to a batch that was counted. @param newest how many of the holder's are kept */
export async function keepAnswer(
  sql: Sql,
  { issuer, keyId, holder, requestHash }: Batch,
  answer: Uint8Array,
  newest: number,
): Promise<void> {
  const { call, values } = callFunction('keep_token_answer', {
    p_issuer: issuer,
    p_key: keyId,
    p_holder: holder,
    p_request: requestHash,
    p_answer: answer,
    p_keep: newest,
  })
  await sql.query({ name: 'keep_token_answer', text: `SELECT ${call}`, values })
}
