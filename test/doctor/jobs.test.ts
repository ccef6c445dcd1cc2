import { afterEach, describe, expect, it } from '@jest/globals'
import { openQueue } from '../../src/platform/jobs/job-backend.js'
import { loadConfig } from '../../src/platform/config/config.js'
import { useTestDatabase } from '../support/database.js'
import { describeWithRedis, useRedis } from '../support/redis.js'
import { examined, soundSettings } from './doctor-fixture.js'

const database = useTestDatabase()
const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

/** A job that nobody takes, as if it had been added so many minutes ago. */
async function leaveJob(environment: Record<string, string>, minutes: number): Promise<void> {
  const { opened: queue, ready, disconnect } = openQueue(loadConfig(environment))
  queue.on('error', () => undefined)
  undo.push(async () => {
    await queue.close()
    disconnect()
  })
  await ready()
  await queue.add('nobody_v1', {}, { timestamp: Date.now() - minutes * 60_000 })
}

function behaves(environment: () => Promise<Record<string, string>>): void {
  it('jobs that wait for minutes are told', async () => {
    const settings = await environment()
    await leaveJob(settings, 1)
    expect((await examined(settings)).of('jobs')).toEqual([expect.stringMatching(/^ok: Jobs are taken in time; 0 have failed/)])
  })
  it('jobs that wait for longer mean that no worker is alive', async () => {
    const settings = await environment()
    await leaveJob(settings, 42)
    expect((await examined(settings)).of('jobs')).toEqual([expect.stringMatching(/^warning: The oldest job has waited for 42 minutes/)])
  })
}

describe('in PostgreSQL', () => {
  behaves(async () => soundSettings(database.url))
})
describeWithRedis('in Redis', () => {
  const redis = useRedis()
  afterEach(() => redis.client.flushall())
  behaves(async () => soundSettings(database.url, { REDIS_URL: redis.url }))
})
