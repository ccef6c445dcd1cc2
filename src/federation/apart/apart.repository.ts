import type { Apart } from '../../groups/home/federation-link.js'
import type { Sql } from '../../platform/postgres/sql.js'

/** Most that are kept: a peer could name ever more providers. */
const MOST_ROWS = 10_000
/** Most that are shown of a group. */
const MOST_SHOWN = 100

/** `by` has said that it does not federate with `provider`. */
export async function noteRefusal(sql: Sql, { by, provider }: Apart): Promise<void> {
  await sql.query({
    name: 'note_provider_refusal',
    text: `INSERT INTO provider_refusal (refusing, refused)
           SELECT $1, $2 WHERE (SELECT count(*) FROM (SELECT FROM provider_refusal LIMIT ${MOST_ROWS}) x) < ${MOST_ROWS}
           ON CONFLICT (refusing, refused) DO UPDATE SET seen_at = now()`,
    values: [by, provider],
  })
}

/** `by` has served `provider`. */
export async function forgetRefusal(sql: Sql, { by, provider }: Apart): Promise<void> {
  await sql.query({
    name: 'forget_provider_refusal',
    text: 'DELETE FROM provider_refusal WHERE refusing = $1 AND refused = $2',
    values: [by, provider],
  })
}

export async function deleteOldRefusals(sql: Sql): Promise<void> {
  await sql.query("DELETE FROM provider_refusal WHERE seen_at < now() - interval '1 day'")
}

/** The other providers with members in a group. */
export async function providersIn(sql: Sql, gid: bigint): Promise<string[]> {
  const { rows } = await sql.query<{ domain: string }>({
    name: 'providers_in_group',
    text: 'SELECT domain FROM peer_cursor WHERE gid = $1 AND until_seq IS NULL ORDER BY domain',
    values: [gid],
  })
  return rows.map(({ domain }) => domain)
}

/** Which of these providers refuse each other, and which of them refuses what it is pushed from here (`own`). */
export async function refusalsAmong(sql: Sql, own: string, domains: readonly string[]): Promise<Apart[]> {
  const { rows } = await sql.query<Apart>({
    name: 'provider_refusals_among',
    text: `SELECT refusing AS by, refused AS provider FROM provider_refusal
            WHERE refusing = ANY ($1::text[]) AND refused = ANY ($1::text[]) AND seen_at > now() - interval '1 day'
           UNION
           SELECT p.domain, $2 FROM peer p WHERE p.domain = ANY ($1::text[]) AND p.failures > 0 AND p.last_error LIKE '%:peer-denied'
           ORDER BY 1, 2 LIMIT ${MOST_SHOWN}`,
    values: [[own, ...domains], own],
  })
  return rows
}
