/**
 * A server reduced to its embedded PostgreSQL, to be killed by tests. `node server.mjs DATA_DIR SHARED_FOLDER [GRACE_SECONDS]` prints one JSON
 * line when it is up; SIGINT or SIGTERM makes it use its database once more, as a draining server does, then stop.
 */
import pg from 'pg'
import { startEmbeddedPostgres } from '../../dist/app/embedded/embedded-postgres.js'

const [dataDir, sharedFolder, grace] = process.argv.slice(2)
const settings = { fsync: 'off', full_page_writes: 'off', shared_buffers: '16MB' }

const stopped = new Promise((resolve) => ['SIGINT', 'SIGTERM'].forEach((signal) => process.on(signal, resolve)))
try {
  const { url, adopted, stop } = await startEmbeddedPostgres(
    { DATA_DIR: dataDir },
    { settings, sharedFolder, orphanGraceSeconds: Number(grace ?? 2) },
  )
  console.log(JSON.stringify({ url, adopted }))
  await stopped
  // It may be just coming back, from a kill.
  const client = new pg.Client({ connectionString: url })
  await client.connect().then(
    () => client.query('SELECT 1'),
    () => undefined,
  )
  await client.end()
  await stop()
} catch (error) {
  console.log(JSON.stringify({ error: error.message }))
  process.exitCode = 1
}
