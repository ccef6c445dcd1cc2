import type { Pool } from 'pg'

/** As after a request of a user has gone to these providers: they may look the user up. */
export async function introduced({ pool }: { pool: Pool }, user: string, ...domains: readonly string[]): Promise<void> {
  await pool.query(
    `INSERT INTO introduction (account_id, domain, until)
     SELECT a.id, d, now() + interval '1 hour' FROM account a, unnest($2::text[]) AS d WHERE a.user_uri = $1 ON CONFLICT DO NOTHING`,
    [user, domains],
  )
}
