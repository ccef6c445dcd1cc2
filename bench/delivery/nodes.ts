import { Redis } from 'ioredis'
import { Client } from '../../examples/client/client.js'
import { utf8 } from '../../examples/client/wire.js'
import { Processes } from '../processes.js'
import { describeSamples, printTable, round } from '../samples.js'

/**
 * `npm run bench -- delivery/nodes`: from the moment a client posts a message until another has read it, on the same node
 * and on another one, beside what Redis alone takes for the way. Sweeps are too rare to help: what arrives, arrives by hints.
 */
const MESSAGES = 300
const WARM_UP = 30
const SETTINGS = {
  SWEEP_INTERVAL: '60s',
  LOGINS_PER_MINUTE: '100000',
  MESSAGES_PER_MINUTE: '1000000',
  REQUESTS_PER_DEVICE_PER_MINUTE: '1000000',
}

async function measure(processes: Processes): Promise<void> {
  const [DATABASE_URL, REDIS_URL] = [await processes.postgres(), await processes.redis()]
  const start = () => processes.server({ DATABASE_URL, REDIS_URL, ROLE: 'api', ...SETTINGS })
  const [here, there] = [await start(), await start()]
  const [alice, neighbour, stranger] = [await register('alice', here), await register('neighbour', here), await register('stranger', there)]
  const groupId = utf8('bench')
  const group = await alice.createGroup({ groupId, mode: 'public' })
  await group.add(neighbour.user, stranger.user)
  for (const guest of [neighbour, stranger]) await guest.until('joining', () => guest.store.group(groupId)?.standing === 'member')
  const [same, other]: [number[], number[]] = [[], []]
  for (let index = 1; index <= MESSAGES + WARM_UP; index++) {
    const began = performance.now()
    const heard = async (client: Client) => {
      await client.until(`message ${index}`, () => client.group(groupId).texts.length >= index)
      return performance.now() - began
    }
    const times = Promise.all([heard(neighbour), heard(stranger)])
    await group.send(`${index}`)
    const [near, far] = await times
    if (index > WARM_UP) void (same.push(near), other.push(far))
  }
  const wire = await redisAlone(REDIS_URL)
  for (const client of [alice, neighbour, stranger]) await client.disconnect()
  report(same, other, wire)
}

async function register(user: string, baseUrl: string): Promise<Client> {
  const client = await Client.create({ baseUrl, domain: 'localhost', user, device: 'phone', suites: [1] })
  await client.device.register()
  await client.device.publishKeyPackages(1)
  client.connect()
  return client
}

/** PUBLISH until the message is back on another connection. */
async function redisAlone(url: string): Promise<number[]> {
  const [publisher, subscriber] = [new Redis(url), new Redis(url)]
  await subscriber.subscribe('bench')
  const samples: number[] = []
  for (let index = 0; index < MESSAGES; index++) {
    const back = new Promise((resolve) => void subscriber.once('message', resolve))
    const began = performance.now()
    await publisher.publish('bench', 'x'.repeat(512))
    await back
    samples.push(performance.now() - began)
  }
  for (const client of [publisher, subscriber]) client.disconnect()
  return samples
}

function report(same: number[], other: number[], wire: number[]): void {
  const rows = { 'Redis alone': wire, 'same node': same, 'another node': other }
  const { p50: limit } = describeSamples(same)
  printTable(
    Object.entries(rows).map(([way, samples]) => {
      const { p50, p99 } = describeSamples(samples)
      return { way, 'p50 ms': p50, 'p99 ms': p99, 'p50 against the same node': round(p50 / limit) }
    }),
  )
}

const processes = await Processes.start()
try {
  await measure(processes)
} finally {
  await processes.stop()
}
