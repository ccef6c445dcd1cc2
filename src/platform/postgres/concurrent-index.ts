import type { Client } from 'pg'

/** A migration that is one index for a table in use, built while others write: it cannot run in a transaction. */
const ONE_INDEX = /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)\s[^;]*;?$/i

/** The name of the index that a migration builds concurrently; undefined: it does not, or not only. @param sql with comments */
export function concurrentIndexIn(sql: string): string | undefined {
  return ONE_INDEX.exec(sql.replaceAll(/--[^\n]*/g, '').trim())?.[1]
}

/** One that an attempt before has left unfinished is of no use, and is built again. */
export async function buildIndex(client: Client, name: string, sql: string): Promise<void> {
  const { rows } = await client.query<{ unfinished: boolean }>(
    `SELECT NOT i.indisvalid AS unfinished FROM pg_index i WHERE i.indexrelid = to_regclass($1)`,
    [name],
  )
  if (rows[0]?.unfinished) await client.query(`DROP INDEX CONCURRENTLY ${name}`)
  await client.query(sql)
}

/**
 * Takes a lock of the session by asking again and again: who waits for it inside a statement holds a snapshot, and an index that is built concurrently
 * waits for all snapshots.
 */
export async function takeSessionLock(client: Client, lock: number, wait: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [lock])
    if (rows[0]?.taken) return
    await wait()
  }
}
