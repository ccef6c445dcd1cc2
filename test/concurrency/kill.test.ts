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
  await world?.disconnect()
  await server?.stop('SIGKILL')
})

it('[I2] the server is killed in the middle of it, again and again: the same ending', async () => {
  const settings = { ...GENEROUS, PORT: String(await freePort()) }
  server = await spawnServer(database.url, settings)
  world = new World(server.url, 'localhost', 100)
  const race = new Race(world, {
    racers: 8,
    guests: 1,
    groups: [
      ['public', 1],
      ['private', 1],
      ['public', 1],
      ['private', 1],
    ],
  })
  await race.prepare()
  let over = false
  const running = race.run(() => over)
  for (let kill = 1; kill <= KILLS; kill++) {
    await Promise.race([race.progress(3 * race.racers.length), running])
    expect(await server.stop('SIGKILL')).toBeNull()
    server = await spawnServer(database.url, settings)
  }
  await Promise.race([race.progress(2 * race.racers.length), running])
  over = true
  await running
  await race.check()
})
