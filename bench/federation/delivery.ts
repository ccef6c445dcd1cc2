import { Pool } from 'pg'
import { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { utf8 } from '../../examples/client/wire.js'
import { faultyProxy, type FaultyProxy } from '../../test/support/network/faulty-proxy.js'
import { freePort, Processes } from '../processes.js'
import { describeSamples, printTable, round } from '../samples.js'

/**
 * `npm run bench -- federation/delivery`: from the moment a client posts until another has read it, at the same provider and at
 * another one; how fast a provider that was cut off catches up; and how many requests a message costs when there are many.
 */
const MESSAGES = 150
const WARM_UP = 20
const MISSED = 1_000
const SENDERS = 8
const BURST = 50
const NAMES = ['a.example', 'b.example'] as const

interface Provider {
  readonly url: string
  readonly domain: string
  readonly proxy: FaultyProxy
}

async function startProviders(processes: Processes): Promise<[Provider, Provider]> {
  const first = await processes.postgres()
  const second = first.replace(/\/[^/?]*(\?|$)/, '/provider_b$1')
  const pool = new Pool({ connectionString: first, max: 1 })
  await pool.query('CREATE DATABASE provider_b')
  await pool.end()
  const proxies = [await faultyProxy(), await faultyProxy()] as const
  const urls = NAMES.map((domain, index) => `${domain}=${proxies[index]?.url}`).join(',')
  const start = async (index: 0 | 1): Promise<Provider> => {
    const port = await freePort()
    proxies[index].target = `http://127.0.0.1:${port}`
    await processes.server({
      DATABASE_URL: index === 0 ? first : second,
      DOMAIN: NAMES[index],
      PORT: String(port),
      PUBLIC_URL: proxies[index].url,
      FEDERATION: 'open',
      FEDERATION_PEER_URLS: urls,
      FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
      FEDERATION_REQUESTS_PER_MINUTE: '10000000',
      LOGINS_PER_MINUTE: '100000',
      MESSAGES_PER_MINUTE: '1000000',
      REQUESTS_PER_DEVICE_PER_MINUTE: '1000000',
    })
    return { url: proxies[index].target, domain: NAMES[index], proxy: proxies[index] }
  }
  return [await start(0), await start(1)]
}

async function register(user: string, { url: baseUrl, domain }: Provider): Promise<Client> {
  const client = await Client.create({ baseUrl, domain, user, device: 'phone', suites: [1] })
  await client.device.register()
  await client.device.publishKeyPackages(1)
  client.connect()
  return client
}

const texts = (client: Client, group: Group): number => client.group(group.record.groupId).texts.length

async function latency(group: Group, near: Client, far: Client): Promise<void> {
  const samples: [number[], number[]] = [[], []]
  for (let index = 1; index <= MESSAGES + WARM_UP; index++) {
    const began = performance.now()
    const heard = async (client: Client): Promise<number> => {
      await client.until(`message ${index}`, () => texts(client, group) >= index)
      return performance.now() - began
    }
    const times = Promise.all([heard(near), heard(far)])
    await group.send(`${index}`)
    const [here, there] = await times
    if (index > WARM_UP) void (samples[0].push(here), samples[1].push(there))
  }
  const [here, there] = [describeSamples(samples[0]), describeSamples(samples[1])]
  printTable([
    { 'read at': 'the same provider', 'p50, ms': here.p50, 'p99, ms': here.p99, 'times the first': 1 },
    { 'read at': 'another provider', 'p50, ms': there.p50, 'p99, ms': there.p99, 'times the first': round(there.p50 / here.p50) },
  ])
}

/** What b stores, by its log; its client would be slower than its server. */
async function catchUp(group: Group, far: Client, follower: Provider): Promise<void> {
  const before = texts(far, group)
  follower.proxy.fault = 'cut'
  for (let index = 0; index < MISSED; index++) await group.send(`missed ${index}`)
  const requests = follower.proxy.seen.length
  follower.proxy.fault = 'none'
  await far.device.http.get(group.path) // the hub hears of the peer
  const began = performance.now()
  await far.until('all of it', () => texts(far, group) >= before + MISSED, 120_000)
  const seconds = (performance.now() - began) / 1000
  const notified = follower.proxy.seen.slice(requests).filter((name) => name === 'notify').length
  printTable([
    { 'messages missed': MISSED, 'read again, messages/s': round(MISSED / seconds), 'requests per message': round(notified / MISSED) },
  ])
}

async function burst(groups: readonly Group[], follower: Provider, last: Client): Promise<void> {
  const requests = follower.proxy.seen.length
  const before = groups.map((group) => texts(last, group))
  await Promise.all(
    groups.map(async (group) => {
      for (let index = 0; index < BURST; index++) await group.send(`burst ${index}`)
    }),
  )
  for (const [index, group] of groups.entries())
    await last.until('the burst', () => texts(last, group) >= (before[index] ?? 0) + BURST, 120_000)
  const notified = follower.proxy.seen.slice(requests).filter((name) => name === 'notify').length
  const sent = groups.length * BURST
  printTable([{ groups: groups.length, messages: sent, 'notify requests': notified, 'requests per message': round(notified / sent) }])
}

async function measure(processes: Processes): Promise<void> {
  const [hub, follower] = await startProviders(processes)
  const [alice, near, far] = [await register('alice', hub), await register('near', hub), await register('far', follower)]
  const groups: Group[] = []
  for (let index = 0; index < SENDERS; index++) {
    const groupId = utf8(`bench ${index}`)
    const group = await alice.createGroup({ groupId, mode: 'public' })
    await group.add(...(index === 0 ? [near.user, far.user] : [far.user]))
    await far.until('joining', () => far.store.group(groupId)?.standing === 'member')
    groups.push(group)
    await far.device.publishKeyPackages(1)
  }
  const [first] = groups
  if (!first) throw new Error('There is no group')
  await latency(first, near, far)
  await catchUp(first, far, follower)
  await burst(groups, follower, far)
  for (const client of [alice, near, far]) await client.disconnect()
  await Promise.all([hub.proxy.close(), follower.proxy.close()])
}

const processes = await Processes.start()
try {
  await measure(processes)
} finally {
  await processes.stop()
}
