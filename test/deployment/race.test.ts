import { expect, it } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'
import { useDeployedRace } from '../support/deployed-race.js'
import type { Deployment } from '../support/deployment.js'
import { eventually } from '../support/eventually.js'
import { describeWithOwnRedis, useRedis, type TestRedis } from '../support/redis.js'

const PAUSE_MS = 20_000

describeWithOwnRedis('3 api and 2 worker processes', () => {
  const database = useTestDatabase()
  const redis = useRedis()
  const { startRace, raceThrough } = useDeployedRace(() => ({ database: database.url, redis: redis.url }))

  it('one Commit per epoch, one history, every message read once, whichever node serves whom', async () => {
    const { race, nodes } = await startRace()
    await raceThrough(race, (progress) => progress(10))
    for (const node of nodes.api) expect(await node.metric('delivery_entries_sent_total')).toBeGreaterThan(0)
  })

  it('the same while Redis is stopped, empty, paused, flushed and restarted: nodes notice and recover by themselves', async () => {
    const { race, nodes } = await startRace()
    await raceThrough(race, (progress) => disturbRedis(redis, nodes, progress))
    for (const node of nodes.nodes) {
      expect(await node.metric('redis_outages_total')).toBeGreaterThanOrEqual(2)
      expect(node.output).toContain('redis is away')
      expect(node.output).toContain('redis is back')
    }
    await workersWork(nodes)
  })

  it('the same while nodes are killed with -9 and drained, one after the other', async () => {
    const { race, nodes } = await startRace()
    await raceThrough(race, async (progress) => {
      for (const [index, node] of [...nodes.api, ...nodes.workers].entries()) {
        const drained = index % 2 === 1
        const code = await node.down(drained ? 'SIGTERM' : 'SIGKILL')
        expect(code).toBe(drained ? 0 : null)
        await progress(1)
        await node.up()
        await progress(1)
      }
    })
    for (const node of nodes.nodes) expect(node.output).not.toContain('not everything could be ended in order')
    await workersWork(nodes)
  })
})

async function disturbRedis(redis: TestRedis, { nodes }: Deployment, progress: (rounds: number) => Promise<void>): Promise<void> {
  const see = (up: number) =>
    Promise.all(
      nodes.map((node) =>
        eventually(
          () => node.metric('redis_up'),
          (seen) => seen === up,
        ),
      ),
    )
  await see(1)
  await redis.kill()
  await see(0)
  await progress(3)
  await redis.startAgain()
  await see(1)
  await progress(2)
  await redis.pause()
  const paused = new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  await see(0)
  await progress(2)
  await paused
  await redis.resume()
  await see(1)
  await redis.client.flushall()
  await progress(2)
  // Gone and back before anybody has counted to three.
  await redis.kill()
  await redis.startAgain()
  await progress(2)
}

/** Checks that scheduled work continues, whatever Redis forgot. */
async function workersWork({ workers }: Deployment): Promise<void> {
  const [worker] = workers
  const done = async () => {
    const counts = await Promise.all(workers.map((each) => each.metric('jobs_done_total')))
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
  }
  const before = await done()
  await eventually(done, (now) => now > before)
  await eventually(
    async () => (await worker?.metric('jobs_oldest_waiting_seconds')) ?? Infinity,
    (age) => age < 15,
  )
}
