import { afterEach, expect, it } from '@jest/globals'
import { Race } from '../support/race.js'
import { World } from '../support/world.js'
import { describeDeployment, healthy, ServiceContainer } from './compose-project.js'

type Meddle = (race: Race) => Promise<void>

const restart = (service: string) => async () => (await ServiceContainer.of(service)).restart()

/** Away until the clients, who go on without it, have done so many things; 0 where they cannot. */
const away =
  (service: string, signal: string, actions: number): Meddle =>
  async (race) => {
    const container = await ServiceContainer.of(service)
    await container.kill(signal)
    if (actions > 0) await race.progress(actions)
    await container.start()
  }

const SERVICES = ['postgres', 'redis', 'api-1', 'api-2', 'worker', 'proxy']
const CASES: [string, Meddle][] = [
  ['an api node is drained and started again', restart('api-1')],
  ['an api node is killed, and comes back later', away('api-2', 'SIGKILL', 12)],
  [
    'both api nodes are replaced, one after the other',
    async () => {
      await restart('api-1')()
      await healthy('api-1')
      await restart('api-2')()
    },
  ],
  ['the worker is killed, and comes back later', away('worker', 'SIGKILL', 12)],
  ['Redis comes back empty', restart('redis')],
  ['Redis is away for a while', away('redis', 'SIGKILL', 12)],
  ['PostgreSQL is restarted', restart('postgres')],
  ['PostgreSQL crashes', away('postgres', 'SIGKILL', 0)],
  ['the proxy is restarted', restart('proxy')],
]

describeDeployment('clients chat through the proxy, and in the end everyone has everything once and in order, while', () => {
  let world: World | undefined
  afterEach(async () => {
    // What a failed test has left dead.
    for (const service of SERVICES) await (await ServiceContainer.of(service)).start()
    await world?.goHome()
  })

  it.each(CASES)('%s', async (_name, meddle) => {
    world = new World(process.env['TEST_SERVER_URL'] ?? '', process.env['TEST_SERVER_DOMAIN'], 100)
    const race = new Race(world, {
      racers: 4,
      guests: 1,
      groups: [
        ['public', 1],
        ['private', 1],
      ],
    })
    await race.prepare()
    let over = false
    const running = race.run(() => over)
    await Promise.race([race.progress(8), running])
    await Promise.race([meddle(race), running])
    for (const service of SERVICES) await healthy(service)
    await Promise.race([race.progress(12), running])
    over = true
    await running
    await race.check()
    expect(race.actions).toBeGreaterThan(20)
  })
})
