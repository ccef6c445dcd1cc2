import type { Client } from 'pg'
import { PostgresClient } from '../../platform/postgres/client/postgres-client.js'
import { PostgresTarget } from '../../platform/postgres/client/postgres-target.js'
import { EmbeddedPostgresError } from './embedded-error.js'
import { sleep } from '../../platform/timing.js'

/** Any constant; held by the server that owns the cluster, for as long as it lives. */
const OWNER_LOCK = 4_729_135_001

/** After a kill -9, PostgreSQL may need a moment to notice that the former owner is gone. */
const TIMEOUT_MS = 3_000

/**
 * One server per data folder. The lock belongs to this connection, so it falls with the process, however that ends, and there is
 * no pid file to go stale. A cluster that runs without an owner may be adopted.
 */
export async function takeOwnership(url: string, dataDir: string): Promise<Client> {
  const client = await PostgresClient.open({ target: new PostgresTarget(url), application_name: 'microchat-owner' })
  try {
    const deadline = performance.now() + TIMEOUT_MS
    while (!(await tryLock(client))) {
      if (performance.now() > deadline)
        throw new EmbeddedPostgresError(`Another MicroChat server is using ${dataDir}. Stop it, or choose another DATA_DIR.`)
      await sleep(100)
    }
    return client
  } catch (error) {
    await client.end()
    throw error
  }
}

async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [OWNER_LOCK])
  return rows[0]?.locked === true
}
