import { afterEach, expect, it } from '@jest/globals'
import { loadConfig } from '../../src/platform/config/config.js'
import { Jobs } from '../../src/platform/jobs/jobs.js'
import { createLog } from '../../src/platform/observability/log.js'
import { Metrics } from '../../src/platform/observability/metrics.js'
import { eventually } from '../support/eventually.js'
import { describeWithOwnRedis, useRedis } from '../support/redis.js'
import { testEnvironment } from '../support/server.js'

const NONE = 'postgres://localhost/none'

// What Redis is to be without, it is without until the end of the test: whatever waited for it would not end.
describeWithOwnRedis('jobs of a process without Redis', () => {
  const redis = useRedis()
  const opened: Jobs[] = []
  afterEach(async () => {
    await redis.resume()
    await redis.kill()
    await redis.startAgain()
    await Promise.all(opened.splice(0).map((jobs) => jobs.close()))
  })

  function create() {
    const metrics = new Metrics()
    const config = loadConfig(testEnvironment(NONE, { REDIS_URL: redis.url }))
    const jobs = new Jobs(config, createLog({ LOG_LEVEL: 'silent' }), metrics)
    opened.push(jobs)
    const ran: unknown[] = []
    jobs.process('greet_v1', async (data) => void ran.push(data))
    const age = async () => (await metrics.registry.getSingleMetric('jobs_oldest_waiting_seconds')?.get())?.values[0]?.value
    return { jobs, ran, age }
  }

  it.each([
    ['absent', () => redis.kill(), () => redis.startAgain()],
    ['silent', () => redis.pause(), () => redis.resume()],
  ])('start while it is %s, refuse work, show their age, and run once it is there', async (_what, goAway, comeBack) => {
    await goAway()
    const { jobs, ran, age } = create()
    await jobs.onApplicationBootstrap()
    await expect(jobs.enqueue('greet_v1', 'nobody')).rejects.toThrow()
    await age()
    await comeBack()
    await eventually(async () => {
      await jobs.enqueue('greet_v1', 'world').catch(() => undefined)
      return ran.includes('world')
    }, Boolean)
  })

  it('do not keep those waiting who read the metrics', async () => {
    const { jobs, age } = create()
    await jobs.onApplicationBootstrap()
    await redis.pause()
    await age()
  })

  it.each([
    ['absent from the start', () => redis.kill(), () => undefined],
    ['gone later', () => undefined, () => redis.kill()],
    ['silent for a while', () => undefined, () => redis.pause()],
  ])('end although it is %s', async (_what, before, after) => {
    await before()
    const { jobs } = create()
    await jobs.onApplicationBootstrap()
    await after()
    await jobs.close()
  })

  it('end with what they run, whether or not Redis can hear of it', async () => {
    const { jobs } = create()
    const [begun, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let done = false
    jobs.process('long_v1', async () => {
      begun.resolve()
      await finish.promise
      done = true
    })
    await jobs.onApplicationBootstrap()
    await jobs.enqueue('long_v1', {})
    await begun.promise
    await redis.kill()
    const closing = jobs.close().then(() => done)
    finish.resolve()
    expect(await closing).toBe(true)
  })
})
