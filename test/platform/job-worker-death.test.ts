import { afterEach, describe, expect, it, jest } from '@jest/globals'
import type { Worker } from 'bullmq'
import { loadConfig } from '../../src/platform/config/config.js'
import { Jobs } from '../../src/platform/jobs/jobs.js'
import { createLog } from '../../src/platform/observability/log.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { describeWithOwnRedis, useRedis } from '../support/redis.js'
import { testEnvironment } from '../support/server.js'

const database = useTestDatabase()
const opened: Jobs[] = []
afterEach(async () => {
  jest.restoreAllMocks()
  await Promise.all(opened.splice(0).map((jobs) => jobs.close()))
})

function create(overrides: Record<string, string>) {
  const metrics = new Metrics()
  const jobs = new Jobs(loadConfig(testEnvironment(database.url, overrides)), createLog({ LOG_LEVEL: 'silent' }), metrics)
  opened.push(jobs)
  const read = async (name: string) => (await metrics.registry.getSingleMetric(name)?.get())?.values[0]?.value
  return { jobs, read }
}

/** The insides that a test of a death cannot do without. */
interface Insides {
  runner: { worker: { instance: Worker } }
  queue: { instance: unknown }
  maintain(queue: unknown): Promise<void>
}

/** It does not take jobs any more, and nothing says so: no error, no event, its connections well. */
async function dieSilently(jobs: Jobs): Promise<void> {
  const { worker } = (jobs as unknown as Insides).runner
  // Not before what it had in hand is done: it would begin a job after its death.
  await worker.instance.pause()
}

function lookAfter(jobs: Jobs): Promise<void> {
  const insides = jobs as unknown as Insides
  return insides.maintain(insides.queue.instance)
}

/** Moves both clocks, so that work which is due has been so for a while. */
function later(ms: number): void {
  const [elapsed, clock] = [performance.now.bind(performance), Date.now.bind(Date)]
  jest.spyOn(performance, 'now').mockImplementation(() => elapsed() + ms)
  jest.spyOn(Date, 'now').mockImplementation(() => clock() + ms)
}

function isNoticed(overrides: () => Record<string, string>): void {
  it('shows by the age of scheduled work that nobody begins, and is opened again', async () => {
    const { jobs, read } = create(overrides())
    let runs = 0
    jobs.every('tick_v1', 1_000, async () => void runs++)
    await jobs.onApplicationBootstrap()
    await eventually(
      () => runs,
      (count) => count >= 2,
    )
    expect(await read('jobs_oldest_waiting_seconds')).toBeLessThan(60)
    await dieSilently(jobs)
    const before = runs
    later(120_000)
    await eventually(
      () => read('jobs_oldest_waiting_seconds'),
      (age) => (age ?? 0) > 100,
    )
    await lookAfter(jobs)
    expect(await read('job_worker_restarts_total')).toBe(1)
    await eventually(
      () => runs,
      (count) => count > before,
    )
    await lookAfter(jobs)
    expect(await read('job_worker_restarts_total')).toBe(1)
  })
}

describe('a worker on PostgreSQL that died silently', () => {
  isNoticed(() => ({}))
})

describeWithOwnRedis('a worker on Redis that died silently', () => {
  const redis = useRedis()
  isNoticed(() => ({ REDIS_URL: redis.url }))

  it('while the queue cannot be asked, the age grows, and nothing is opened again', async () => {
    const { jobs, read } = create({ REDIS_URL: redis.url })
    jobs.every('tick_v1', 500, async () => undefined)
    await jobs.onApplicationBootstrap()
    expect(await read('jobs_oldest_waiting_seconds')).toBeLessThan(60)
    await redis.kill()
    later(120_000)
    expect(await read('jobs_oldest_waiting_seconds')).toBeGreaterThan(100)
    await lookAfter(jobs)
    expect(await read('job_worker_restarts_total')).toBe(0)
    await redis.startAgain()
  })

  it('a Redis that forgot everything gets its schedules back', async () => {
    const { jobs } = create({ REDIS_URL: redis.url })
    let runs = 0
    jobs.every('tick_v1', 500, async () => void runs++)
    await jobs.onApplicationBootstrap()
    await eventually(
      () => runs,
      (count) => count > 0,
    )
    await redis.client.flushall()
    const before = runs
    await lookAfter(jobs)
    await eventually(
      () => runs,
      (count) => count > before + 1,
    )
  })
})
