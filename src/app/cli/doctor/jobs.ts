import { createPostgresBackend, Queue, type QueueOptions } from 'bullmq'
import type { Client } from 'pg'
import { directDatabaseUrl, type Config } from '../../../platform/config/config.js'
import { openQueue, type JobQueue, type ConnectedQueue } from '../../../platform/jobs/job-backend.js'
import { oldestDueSeconds } from '../../../platform/jobs/waiting-age.js'
import { PostgresTarget } from '../../../platform/postgres/client/postgres-target.js'
import { poolConfig } from '../../../platform/postgres/sql.js'
import { ok, warning, type Finding } from './finding.js'
import { withSession } from './database/session.js'
import { within } from '../../../platform/timing.js'

const TIMEOUT_MS = 5_000
const LATE_SECONDS = 10 * 60

/** Work that waits for long means that no worker is alive, or that all are stuck, whatever their processes say. */
export async function examineJobs(config: Config): Promise<Finding[]> {
  if (!config.DATABASE_URL) return []
  if (!config.REDIS_URL && !(await withSession(directDatabaseUrl(config), hasQueue)))
    return [ok('No process has run jobs in this database yet.')]
  const queue = config.REDIS_URL ? openQueue(config) : openToRead(config)
  queue.instance.on('error', () => undefined)
  try {
    await within(TIMEOUT_MS, queue.ready())
    return [await within(TIMEOUT_MS, examineQueue(queue.instance))]
  } finally {
    await within(TIMEOUT_MS, queue.instance.close()).catch(() => undefined)
    queue.disconnect()
  }
}

/** A doctor changes nothing, so no tables are made or migrated; a write would also wait for a synchronous standby that is gone. */
function openToRead(config: Config): ConnectedQueue {
  const connection = { ...poolConfig(new PostgresTarget(directDatabaseUrl(config)), { max: 1 }), schema: 'bullmq', migrate: false }
  const options: QueueOptions<typeof connection> = { connection }
  const instance: JobQueue = new Queue('work', options, createPostgresBackend)
  return { instance, ready: () => instance.waitUntilReady(), disconnect: () => undefined }
}

async function hasQueue(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>("SELECT to_regnamespace('bullmq') IS NOT NULL AS found")
  return rows[0]?.found === true
}

async function examineQueue(queue: JobQueue): Promise<Finding> {
  const seconds = await oldestDueSeconds(queue, Date.now())
  const { failed = 0 } = await queue.getJobCounts('failed')
  if (seconds > LATE_SECONDS)
    return warning(
      `The oldest job has waited for ${Math.round(seconds / 60)} minutes: no worker is alive, or all are stuck. See their logs.`,
    )
  return ok(`Jobs are taken in time; ${failed} have failed for good in the last days.`)
}
