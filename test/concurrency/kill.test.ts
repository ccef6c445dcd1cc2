import { afterEach, expect, it } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { Race, setting } from '../support/race.js'
import { spawnServer, type SpawnedServer } from '../support/server.js'
import { GENEROUS, World } from '../support/world.js'

const KILLS = setting('RACE_KILLS', 3)
const database = useTestDatabase()
let server: SpawnedServer | undefined
let world: World | undefined

afterEach(async () => {
  await world?.goHome()
  await server?.stop('SIGKILL')
})

it('the server is killed in the middle of it, again and again: the same ending', async () => {
  const settings = { ...GENEROUS, PORT: String(await freePort()) }
  server = await spawnServer(database.url, settings)
  world = new World(server.url, 'localhost', 60)
  const race = new Race(world, {
    racers: 8, guests: 1, rounds: setting('RACE_ROUNDS', 100_000), budgetMs: setting('RACE_SECONDS', 30) * 1000,
    groups: [['public', 1], ['private', 1], ['public', 1], ['private', 1]],
  })
  await race.prepare()
  const running = race.run()
  for (let kill = 1; kill <= KILLS; kill++) {
    await progress(race, running)
    expect(await server.stop('SIGKILL')).toBeNull()
    server = await spawnServer(database.url, settings)
  }
  await running
  await race.check()
  expect(race.actions).toBeGreaterThan(KILLS * race.racers.length)
}, setting('RACE_SECONDS', 30) * 1000 + 150_000)

/** Kills only while work is under way: after every racer has got something done since the last time, on average. */
async function progress(race: Race, running: Promise<void>): Promise<void> {
  const target = race.actions + 2 * race.racers.length
  let over = false
  const end = running.finally(() => (over = true))
  while (race.actions < target && !over) await Promise.race([end, nextTick()])
}

const nextTick = () => new Promise((resolve) => setTimeout(resolve, 5))
