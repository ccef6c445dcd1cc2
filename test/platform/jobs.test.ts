import { afterEach, describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../src/platform/config/config.js'
import { Jobs } from '../../src/platform/jobs/jobs.js'
import { createLog } from '../../src/platform/observability/log.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { describeWithRedis, useRedis } from '../support/redis.js'
import { testEnvironment } from '../support/server.js'

const database = useTestDatabase()
const opened: Jobs[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((jobs) => jobs.close()))
})

function create(overrides: Record<string, string> = {}) {
  const metrics = new Metrics()
  const config = loadConfig(testEnvironment(database.url, overrides))
  const jobs = new Jobs(config, createLog({ LOG_LEVEL: 'silent' }), metrics)
  opened.push(jobs)
  const read = async (name: string) => (await metrics.registry.getSingleMetric(name)?.get())?.values ?? []
  return { jobs, read }
}

function behaves(overrides: () => Record<string, string>) {
  it('runs a job with its data, once', async () => {
    const { jobs } = create(overrides())
    const ran: unknown[] = []
    jobs.process('greet_v1', async (data) => void ran.push(data))
    await jobs.onApplicationBootstrap()
    await jobs.enqueue('greet_v1', { to: 'world' })
    await eventually(
      () => ran.length,
      (count) => count > 0,
    )
    expect(ran).toEqual([{ to: 'world' }])
  })

  it('tries a failing job again, and counts the failure', async () => {
    const { jobs, read } = create(overrides())
    let attempts = 0
    jobs.process('flaky_v1', async () => {
      if (++attempts === 1) throw new Error('no')
    })
    await jobs.onApplicationBootstrap()
    await jobs.enqueue('flaky_v1', {}, { attempts: 2 })
    await eventually(
      () => attempts,
      (count) => count === 2,
    )
    expect(await read('jobs_failed_total')).toEqual([expect.objectContaining({ labels: { name: 'flaky_v1' }, value: 1 })])
  })

  it('repeats what is scheduled', async () => {
    const { jobs } = create(overrides())
    let runs = 0
    jobs.every('tick_v1', 200, async () => void runs++)
    await jobs.onApplicationBootstrap()
    await eventually(
      () => runs,
      (count) => count >= 3,
    )
  })

  it('runs one waiting job per id, and once more what came in while it ran', async () => {
    const { jobs } = create(overrides())
    const gate = Promise.withResolvers<void>()
    const ran: unknown[] = []
    jobs.process('push_v1', async (data) => {
      ran.push(data)
      if (ran.length === 1) await gate.promise
    })
    await jobs.onApplicationBootstrap()
    await jobs.enqueue('push_v1', 1, { dedupeId: 'peer' })
    await eventually(
      () => ran.length,
      (count) => count === 1,
    )
    for (const data of [2, 3, 4]) await jobs.enqueue('push_v1', data, { dedupeId: 'peer' })
    gate.resolve()
    await eventually(
      () => ran.length,
      (count) => count === 2,
    )
    expect(ran).toEqual([1, 4])
  })

  it('keeps a job for the next worker, and shows that it waits', async () => {
    const api = create({ ...overrides(), ROLE: 'api' })
    api.jobs.process('late_v1', () => Promise.reject(new Error('an api node runs no jobs')))
    await api.jobs.onApplicationBootstrap()
    await api.jobs.enqueue('late_v1', 'kept')
    await eventually(
      async () => (await api.read('jobs_oldest_waiting_seconds'))[0]?.value ?? 0,
      (age) => age > 0,
    )
    await api.jobs.close()
    const worker = create({ ...overrides(), ROLE: 'worker' })
    const ran: unknown[] = []
    worker.jobs.process('late_v1', async (data) => void ran.push(data))
    await worker.jobs.onApplicationBootstrap()
    await eventually(
      () => ran,
      (all) => all.length === 1,
    )
    expect(ran).toEqual(['kept'])
  })

  it('waits for a running job when it closes', async () => {
    const { jobs } = create(overrides())
    const gate = Promise.withResolvers<void>()
    const trace: string[] = []
    jobs.process('long_v1', async () => {
      trace.push('started')
      await gate.promise
      trace.push('finished')
    })
    await jobs.onApplicationBootstrap()
    await jobs.enqueue('long_v1', {})
    await eventually(
      () => trace.length,
      (count) => count === 1,
    )
    const closing = jobs.close().then(() => trace.push('closed'))
    gate.resolve()
    await closing
    expect(trace).toEqual(['started', 'finished', 'closed'])
  })
}

describe('jobs on PostgreSQL', () => {
  behaves(() => ({}))

  it('live in a schema of their own', async () => {
    const { jobs } = create()
    await jobs.onApplicationBootstrap()
    const { rows } = await database.pool.query("SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_name ILIKE '%job%'")
    expect(rows).toEqual([{ table_schema: 'bullmq' }])
  })
})

describeWithRedis('jobs on Redis', () => {
  const redis = useRedis()
  afterEach(() => redis.client.flushall())

  behaves(() => ({ REDIS_URL: redis.url }))
})

it('a job has one handler', () => {
  const { jobs } = create()
  jobs.process('a_v1', async () => {})
  expect(() => jobs.every('a_v1', 1_000, async () => {})).toThrow('registered twice')
})
