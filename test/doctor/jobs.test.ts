import { afterEach, describe, expect, it } from '@jest/globals'
import { openQueue } from '../../src/platform/jobs/job-backend.js'
import { loadConfig } from '../../src/platform/config/config.js'
import { useTestDatabase } from '../support/database.js'
import { describeWithRedis, useRedis } from '../support/redis.js'
import { examined, soundSettings } from './doctor-fixture.js'

const database = useTestDatabase()
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A job that nobody takes, as if it had been added `minutes` ago. */
async function leaveJob(environment: Record<string, string>, minutes: number): Promise<void> {
  const { instance: queue, ready, disconnect } = openQueue(loadConfig(environment))
  queue.on('error', () => undefined)
  cleanups.push(async () => {
    await queue.close()
    disconnect()
  })
  await ready()
  await queue.add('nobody_v1', {}, { timestamp: Date.now() - minutes * 60_000 })
}

function testWaitingJobs(environment: () => Promise<Record<string, string>>): void {
  it('are reported as ok after a minute', async () => {
    const settings = await environment()
    await leaveJob(settings, 1)
    expect((await examined(settings)).of('jobs')).toEqual([expect.stringMatching(/^ok: Jobs are taken in time; 0 have failed/)])
  })
  it('are a warning after 42 minutes: no worker is alive', async () => {
    const settings = await environment()
    await leaveJob(settings, 42)
    expect((await examined(settings)).of('jobs')).toEqual([expect.stringMatching(/^warning: The oldest job has waited for 42 minutes/)])
  })
}

describe('waiting jobs in PostgreSQL', () => {
  testWaitingJobs(async () => soundSettings(database.url))
})
describeWithRedis('waiting jobs in Redis', () => {
  const redis = useRedis()
  afterEach(() => redis.client.flushall())
  testWaitingJobs(async () => soundSettings(database.url, { REDIS_URL: redis.url }))
})
