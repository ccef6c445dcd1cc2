import { once } from 'node:events'
import pg from 'pg'

/** Stops what the set-up started. The guard then removes the folder, as it would after a crash. A foreign PostgreSQL gets its template dropped. */
export default async function tearDown() {
  if (process.env['TEST_SERVER_URL']) return
  if (process.env['TEST_DATABASE_URL']) {
    const admin = new pg.Client({ connectionString: process.env['TEST_DATABASE_URL'] })
    await admin.connect()
    await admin.query(`DROP DATABASE IF EXISTS ${process.env['TEST_TEMPLATE']} WITH (FORCE)`)
    await admin.end()
  }
  await globalThis.runPostgres?.stop()
  const guard = globalThis.runGuard
  guard.ref()
  guard.stdin.end()
  if (guard.exitCode === null) await once(guard, 'exit')
}
