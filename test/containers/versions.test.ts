import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { hasContainerEngine } from '../support/containers.js'
import type { TestDatabase } from '../support/database.js'
import { startPostgresContainer } from '../support/postgres-container.js'
import { Race } from '../support/race.js'
import { startRedisContainer } from '../support/redis/redis-container.js'
import { startServer, type TestServer } from '../support/server.js'
import { agreed, at, GENEROUS, heard, World } from '../support/world.js'

/** The first start may have to fetch an image. */
const FETCH_MS = 600_000
/** Enough that every kind of thing that a racer does has happened several times. */
const ACTIONS = 80

const described = (await hasContainerEngine()) ? describe : describe.skip

/** The oldest version that is supported, and the one that comes with the server and with docker-compose.yml. */
described.each([15, 18])('two nodes on PostgreSQL %i and Redis, in containers', (version) => {
  let database: TestDatabase | undefined
  let redis: Awaited<ReturnType<typeof startRedisContainer>> | undefined
  const nodes: TestServer[] = []
  const worlds: World[] = []

  beforeAll(async () => {
    database = await startPostgresContainer(version)
    redis = await startRedisContainer()
    const settings = { ...GENEROUS, REDIS_URL: redis.url, ROLE: 'both' }
    for (let node = 0; node < 2; node++) nodes.push(await startServer(settings, { database }))
    worlds.push(...nodes.map(({ url }) => new World(url)))
  }, FETCH_MS)
  afterEach(() => Promise.all(worlds.map((world) => world.disconnect())))
  afterAll(async () => {
    for (const node of nodes) await node.close()
    await redis?.kill()
    await database?.drop()
  })

  it('are on that version', async () => {
    const { rows } = await nodes[0]!.pool.query<{ server_version_num: string }>('SHOW server_version_num')
    expect(Math.floor(Number(rows[0]?.server_version_num) / 10_000)).toBe(version)
  })

  it('bring each other’s clients what they send', async () => {
    const [[alice], [bob]] = await Promise.all([worlds[0]!.cast('alice'), worlds[1]!.cast('bob')])
    const group = await worlds[0]!.group(alice, [bob])
    await agreed([bob], group)
    await group.send('from one node')
    await at(bob, group).send('from the other')
    await heard([alice, bob], group, ['from one node', 'from the other'])
  })

  it('keep one history while clients race', async () => {
    const race = new Race(worlds[0]!, {
      racers: 4,
      guests: 1,
      groups: [
        ['public', 1],
        ['private', 2],
      ],
    })
    await race.prepare()
    await race.run(() => race.actions >= ACTIONS)
    await race.check()
  })
})
