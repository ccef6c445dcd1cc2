import { afterEach, expect, it } from '@jest/globals'
import { Race } from '../support/race.js'
import { World } from '../support/world.js'
import { describeDeployment, healthy, ServiceContainer } from './compose-project.js'

type Disruption = (race: Race) => Promise<void>

const restart = (service: string) => async () => (await ServiceContainer.of(service)).restart()

/** Stops a service until the clients have done `actions` more actions without it; 0 if they cannot act without it. */
const stopUntil =
  (service: string, signal: string, actions: number): Disruption =>
  async (race) => {
    const container = await ServiceContainer.of(service)
    await container.kill(signal)
    if (actions > 0) await race.progress(actions)
    await container.start()
  }

const SERVICES = ['postgres', 'redis', 'api-1', 'api-2', 'worker', 'proxy']
const CASES: [string, Disruption][] = [
  ['an api node is drained and started again', restart('api-1')],
  ['an api node is killed, and comes back later', stopUntil('api-2', 'SIGKILL', 12)],
  [
    'both api nodes are replaced, one after the other',
    async () => {
      await restart('api-1')()
      await healthy('api-1')
      await restart('api-2')()
    },
  ],
  ['the worker is killed, and comes back later', stopUntil('worker', 'SIGKILL', 12)],
  ['Redis comes back empty', restart('redis')],
  ['Redis is away for a while', stopUntil('redis', 'SIGKILL', 12)],
  ['PostgreSQL is restarted', restart('postgres')],
  ['PostgreSQL crashes', stopUntil('postgres', 'SIGKILL', 0)],
  ['the proxy is restarted', restart('proxy')],
]

describeDeployment('clients chat through the proxy, and every client ends with every entry, once and in order, when', () => {
  let world: World | undefined
  afterEach(async () => {
    // A failed test may have left services stopped.
    for (const service of SERVICES) await (await ServiceContainer.of(service)).start()
    await world?.disconnect()
  })

  it.each(CASES)('%s', async (_name, disrupt) => {
    // retries: longer than any restart takes
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
    let stopped = false
    const running = race.run(() => stopped)
    await Promise.race([race.progress(8), running])
    await Promise.race([disrupt(race), running])
    for (const service of SERVICES) await healthy(service)
    await Promise.race([race.progress(12), running])
    stopped = true
    await running
    await race.check()
    expect(race.actions).toBeGreaterThan(20)
  })
})
