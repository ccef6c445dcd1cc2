import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { setting } from '../../support/race.js'
import { hasRedis, startRedis, type TestRedis } from '../../support/redis.js'
import { startServer, type TestServer } from '../../support/server.js'
import { GENEROUS } from '../../support/world.js'
import { Campaign } from './campaign.js'

const STEPS = setting('CAMPAIGN_STEPS', 150)
/** It goes on until everything was asked for: some 200 to 500 steps, by the seed. */
const MOST_STEPS = Math.max(STEPS, 1_500)
/** `npm run campaign` tries others. */
const SEED = setting('CAMPAIGN_SEED', 17)
/** For what hangs: the long runs take half an hour. */
const TIMEOUT_MS = 3_600_000

const LIMITS = 'group-administration=100000,leaves=100000,commit-reports=100000,joiners=100000'
const nodes: TestServer[] = []
let database: TestDatabase | undefined
let redis: TestRedis | undefined

beforeAll(async () => {
  database = await createTestDatabase()
  redis = hasRedis ? await startRedis() : undefined
  const settings = { ...GENEROUS, LIMITS, ...(redis && { REDIS_URL: redis.url }) }
  for (let node = 0; node < 2; node++) nodes.push(await startServer(settings, { database }))
})
afterAll(async () => {
  for (const node of nodes) await node.close()
  await database?.drop()
  await redis?.stop()
})

describe.each(['public', 'private'] as const)('whatever 3 honest and 2 hostile users ask of %s groups at random', (mode) => {
  it(
    `the answers of two nodes are what the page says (seed ${SEED})`,
    async () => {
      const campaign = new Campaign(nodes, mode, SEED)
      await campaign.prepare()
      await campaign.run(STEPS, MOST_STEPS)
      await campaign.end()
      expect(campaign.missing()).toEqual([])
    },
    TIMEOUT_MS,
  )
})
