import type { Sql } from '../../platform/postgres/sql.js'
import type { SignedKeyDirectory } from './directory-document.js'

/** `issued` in seconds since the epoch. */
export interface StoredOwnDirectory {
  readonly hash: Buffer
  readonly issued: number
  readonly signed: SignedKeyDirectory
}

/** The document that was signed last, and the time, which is one for all nodes: that of the database, in seconds. */
export async function readOwnDirectory(sql: Sql): Promise<{ now: number; stored: StoredOwnDirectory | undefined }> {
  const { rows } = await sql.query<{ now: number; hash: Buffer | null; issued: number; signed: SignedKeyDirectory }>(
    `SELECT extract(epoch FROM date_trunc('second', clock_timestamp()))::float8 AS now, content_hash AS hash,
            extract(epoch FROM issued_at)::float8 AS issued, signed
       FROM (VALUES (1)) AS one LEFT JOIN provider_directory ON true`,
  )
  const [row] = rows
  if (!row) throw new Error('The database has no time')
  const { now, hash, issued, signed } = row
  return { now, stored: hash === null ? undefined : { hash, issued, signed } }
}

/** Replaces the document. */
export async function storeOwnDirectory(sql: Sql, { hash, issued, signed }: StoredOwnDirectory): Promise<void> {
  await sql.query({
    text: `INSERT INTO provider_directory (content_hash, issued_at, signed) VALUES ($1, to_timestamp($2), $3)
           ON CONFLICT (only_one) DO UPDATE SET content_hash = excluded.content_hash, issued_at = excluded.issued_at, signed = excluded.signed`,
    values: [hash, issued, JSON.stringify(signed)],
  })
}
