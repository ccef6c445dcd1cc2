import { createPostgresBackend, Queue, type QueueOptions } from 'bullmq'
import type { Client } from 'pg'
import { directDatabaseUrl, type Config } from '../../../platform/config/config.js'
import { openQueue, type JobQueue } from '../../../platform/jobs/job-backend.js'
import { ok, warning, type Finding } from './finding.js'
import { withSession } from './database/session.js'

const PATIENCE_MS = 5_000
const LATE_MS = 10 * 60_000

/** Work that waits for long means that no worker is alive, or that all are stuck, whatever their processes say. */
export async function examineJobs(config: Config): Promise<Finding[]> {
  if (!config.DATABASE_URL) return []
  if (!config.REDIS_URL && !(await withSession(directDatabaseUrl(config), hasQueue)))
    return [ok('No process has run jobs in this database yet.')]
  const queue = config.REDIS_URL ? openQueue(config) : openToRead(config)
  queue.on('error', () => undefined)
  try {
    return [await within(PATIENCE_MS, examineQueue(queue))]
  } finally {
    await within(PATIENCE_MS, queue.close()).catch(() => undefined)
  }
}

/** A doctor changes nothing, so no tables are made or migrated; a write would also wait for a synchronous standby that is gone. */
function openToRead(config: Config): JobQueue {
  const connection = {
    connectionString: directDatabaseUrl(config),
    schema: 'bullmq',
    migrate: false,
    max: 1,
    connectionTimeoutMillis: PATIENCE_MS,
  }
  const options: QueueOptions<typeof connection> = { connection }
  return new Queue('work', options, createPostgresBackend)
}

async function hasQueue(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>("SELECT to_regnamespace('bullmq') IS NOT NULL AS found")
  return rows[0]?.found === true
}

async function examineQueue(queue: JobQueue): Promise<Finding> {
  await queue.waitUntilReady()
  const [oldest] = await queue.getWaiting(0, 0)
  const { failed = 0 } = await queue.getJobCounts('failed')
  const age = oldest ? Date.now() - oldest.timestamp - (oldest.delay ?? 0) : 0
  if (age > LATE_MS)
    return warning(
      `The oldest job has waited for ${Math.round(age / 60_000)} minutes: no worker is alive, or all are stuck. See their logs.`,
    )
  return ok(`Jobs are taken in time; ${failed} have failed for good in the last days.`)
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(Object.assign(new Error('No answer'), { code: 'ETIMEDOUT' })), ms)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
