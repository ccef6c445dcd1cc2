import type { Sql } from '../../platform/postgres/sql.js'

/** An answer to the same request, none of whose KeyPackages was used or has expired since. @param hash names the request */
export async function findPassedOn(sql: Sql, hash: Uint8Array): Promise<Buffer | undefined> {
  const { rows } = await sql.query<{ answer: Buffer }>({
    name: 'find_draft_claim',
    text: `SELECT d.answer FROM draft_claim d
            WHERE d.hash = $1 AND d.expires_at > now()
              AND NOT EXISTS (
                SELECT FROM unnest(d.refs) r (ref)
                 WHERE NOT EXISTS (SELECT FROM key_package_claim c WHERE c.ref = r.ref AND NOT c.used AND c.expires_at > now()))`,
    values: [hash],
  })
  return rows[0]?.answer
}

export interface PassedOn {
  /** Names the request. */
  readonly hash: Uint8Array
  /** KeyPackageRefs in the answer. */
  readonly refs: readonly Uint8Array[]
  /** KeyMaterialResponse. */
  readonly answer: Uint8Array
}

/** For 30 days at most; an answer that another node has made meanwhile stays. One with nothing but KeyPackages of last resort is not kept: they are given out again anyway. */
export async function keepPassedOn(sql: Sql, { hash, refs, answer }: PassedOn): Promise<void> {
  if (refs.length === 0) return
  await sql.query({
    name: 'keep_draft_claim',
    text: `INSERT INTO draft_claim AS d (hash, account_id, refs, answer, expires_at)
           SELECT $1, min(v.account_id), $2, $3, least(min(c.expires_at), now() + interval '30 days')
             FROM key_package_claim c JOIN device v ON v.id = c.device_id WHERE c.ref = ANY ($2::bytea[]) HAVING bool_or(NOT c.last_resort)
           ON CONFLICT (hash) DO UPDATE SET refs = excluded.refs, answer = excluded.answer, expires_at = excluded.expires_at
            WHERE d.expires_at <= now() OR EXISTS (
              SELECT FROM unnest(d.refs) r (ref)
               WHERE NOT EXISTS (SELECT FROM key_package_claim c WHERE c.ref = r.ref AND NOT c.used AND c.expires_at > now()))`,
    values: [hash, refs, answer],
  })
}

export async function purgePassedOn(sql: Sql): Promise<void> {
  await sql.query({
    text: `DELETE FROM draft_claim WHERE ctid = ANY (ARRAY(
             SELECT d.ctid FROM draft_claim d WHERE d.expires_at < now() ORDER BY d.expires_at LIMIT 10000))`,
  })
}
