import { Client as Postgres } from 'pg'
import { findEmbeddedPostgres } from '../src/app/embedded/embedded-postgres.js'
import type { DemoProvider } from './demo-federation-providers.js'
import { utf8 } from './client/wire.js'

/** What is in the database of a provider. */
export interface Stored {
  readonly commits: number
  readonly proposals: number
  readonly messages: number
  /** Client URIs that the provider counts among the group now. */
  readonly members: readonly string[]
  /** Of the given texts, how many stand anywhere in the log as they were typed. */
  readonly readable: number
}

/** Looks into the database itself, past the server, which could say anything. */
export async function lookInto({ domain, folder }: DemoProvider, texts: readonly string[]): Promise<Stored> {
  const url = await findEmbeddedPostgres({ DATA_DIR: folder })
  if (!url) throw new Error(`The PostgreSQL of ${domain} does not run`)
  const database = new Postgres({ connectionString: url })
  await database.connect()
  try {
    const { rows } = await database.query<Stored>(
      `SELECT (SELECT count(*)::int FROM log WHERE kind = 'c') AS commits,
              (SELECT count(*)::int FROM log WHERE kind = 'p') AS proposals,
              (SELECT count(*)::int FROM log WHERE kind = 'a') AS messages,
              (SELECT coalesce(array_agg(d.client_uri ORDER BY d.client_uri), '{}') FROM member m JOIN device d ON d.id = m.device_id
                WHERE m.until_seq IS NULL) AS members,
              (SELECT count(*)::int FROM unnest($1::bytea[]) AS typed (text)
                WHERE EXISTS (SELECT FROM log WHERE position(typed.text IN log.bytes) > 0)) AS readable`,
      [texts.map((text) => Buffer.from(utf8(text)))],
    )
    const [found] = rows
    if (!found) throw new Error('A SELECT without FROM has one row')
    return found
  } finally {
    await database.end()
  }
}
