import type { Pool } from 'pg'
import { expect } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { Erasures } from '../../src/accounts/erasure/erasure.job.js'
import type { TestServer } from '../support/server.js'

export interface ExportedRecord {
  section: string
  fields: Record<string, unknown>
}

/** All pages of a device's export. */
export async function exportOf(client: Client): Promise<ExportedRecord[]> {
  const records: ExportedRecord[] = []
  for (let next: string | undefined = ''; next !== undefined;) {
    const page: { records: ExportedRecord[]; next?: string } = await client.device.http.get(`/v1/me/export${next && `?after=${next}`}`)
    records.push(...page.records)
    next = page.next
  }
  return records
}

export const ofSection = (records: readonly ExportedRecord[], section: string) =>
  records.filter((record) => record.section === section).map(({ fields }) => fields)

/** All tables of the schema, partitions under the name of the whole. */
export async function tablesOf(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
  )
  expect(rows.length).toBeGreaterThan(40)
  return rows.map(({ name }) => name)
}

/** Tables with a row that says any of these words, as text or in bytes. */
export async function tablesThatSay(pool: Pool, ...words: readonly string[]): Promise<string[]> {
  const found: string[] = []
  const patterns = words.flatMap((word) => [`%${word}%`, `%${Buffer.from(word).toString('hex')}%`])
  for (const table of await tablesOf(pool)) {
    const { rowCount } = await pool.query(`SELECT FROM "${table}" t WHERE t::text LIKE ANY ($1::text[]) LIMIT 1`, [patterns])
    if (rowCount) found.push(table)
  }
  return found
}

export async function accountIdOf(pool: Pool, user: string): Promise<bigint> {
  const { rows } = await pool.query<{ id: bigint }>('SELECT id FROM account WHERE user_uri = $1', [user])
  return rows[0]!.id
}

/** As if accounts had been deleted so much earlier. */
export async function ageDeletions(pool: Pool, interval: string): Promise<void> {
  await pool.query('UPDATE account SET deleted_at = deleted_at - $1::interval WHERE deleted_at IS NOT NULL', [interval])
}

/** What the job would do half a minute later. */
export async function eraseDeleted(server: TestServer): Promise<void> {
  await ageDeletions(server.pool, '1 minute')
  await server.app.get(Erasures, { strict: false }).run()
}
