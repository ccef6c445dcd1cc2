import { afterEach } from '@jest/globals'
import { Deployment, type DeploymentOptions } from './deployment.js'
import { Race } from './race.js'
import { GENEROUS, World } from './world.js'

const RACERS = 8

/** Waits until each client has done `rounds` more actions. */
type Progress = (rounds: number) => Promise<void>

/** A race over all processes of a deployment, which ends after each test. */
export function useDeployedRace(services: () => { database: string; redis: string }) {
  let deployment: Deployment | undefined
  let world: World | undefined
  afterEach(async () => {
    await world?.disconnect()
    await deployment?.stop()
  })
  const startRace = async (options?: DeploymentOptions, settings: Record<string, string> = {}) => {
    const { database, redis } = services()
    const nodes = await Deployment.start(database, { ...GENEROUS, REDIS_URL: redis, ...settings }, options)
    deployment = nodes
    world = new World(nodes.url, 'localhost', 100)
    world.identity = options?.main === undefined
    const race = new Race(world, {
      racers: RACERS,
      guests: 2,
      groups: [
        ['public', 1],
        ['private', 1],
        ['public', 2],
        ['private', 2],
      ],
    })
    await race.prepare()
    return { race, nodes }
  }
  return { startRace, raceThrough }
}

/** Everybody races while `disturb` does its worst; then everything must fit together. */
async function raceThrough(race: Race, disturb: (progress: Progress) => Promise<void>): Promise<void> {
  let over = false
  const running = race.run(() => over)
  const progress: Progress = (rounds) => Promise.race([race.progress(rounds * RACERS), running])
  await progress(2)
  await disturb(progress)
  await progress(2)
  over = true
  await running
  await race.check()
}
