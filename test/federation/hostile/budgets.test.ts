import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { RequestSignatures } from '../../../src/federation/inbound/request-signatures.js'
import { PeerDirectories } from '../../../src/federation/peers/peer-directories.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { bareToken, World } from '../../support/world.js'
import { HostileProvider, type Victim } from './peer/hostile-provider.js'
import { keyMaterialRequest, newClient } from './peer/tls.js'

const DOMAIN = 'a.example'
const NEW_PEERS = 40

let hostile: HostileProvider
let honest: HostileProvider
const servers: TestServer[] = []
beforeAll(async () => {
  hostile = await new HostileProvider('c.example').listen()
  honest = await new HostileProvider('d.example').listen()
})
afterAll(async () => {
  await Promise.all([hostile.close(), honest.close(), ...servers.map((server) => server.close())])
})

/** A provider that knows where both others are and has met nobody. It hears the addresses that a proxy names. */
async function victim(settings: Record<string, string> = {}): Promise<Victim & { server: TestServer }> {
  const server = await startServer({
    ...GENEROUS,
    DOMAIN,
    FEDERATION: 'open',
    PUBLIC_URL: `http://${DOMAIN}`,
    TRUST_PROXY: '127.0.0.1/32',
    FEDERATION_PEER_URLS: `c.example=${hostile.url},d.example=${honest.url}`,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    FEDERATION_NEW_PEERS_PER_MINUTE: String(NEW_PEERS),
    ...settings,
  })
  servers.push(server)
  return { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` }, server }
}

/** A provider that nobody has met: nothing listens there. */
const invented = (number: number) => `127.0.2.${number}:1`
const from = (address: string) => (signed: Record<string, string>) => ({ ...signed, 'x-forwarded-for': address })

/** Whom this server comes to know by itself. */
const finds = (domain: string, { server }: { server: TestServer }): Promise<string | undefined> =>
  server.app
    .get(PeerDirectories)
    .of(domain)
    .then(
      (directory) => directory?.domain,
      (error: Error) => error.message,
    )

describe('the budget for providers that were never met', () => {
  it('is not that of our users for a hub that sends requests of invented ones', async () => {
    const a = await victim()
    const outcomes: (string | undefined)[] = []
    for (let number = 0; number < NEW_PEERS + 5; number++) {
      const body = keyMaterialRequest(newClient(invented(number), 'mallory'), `mimi://${DOMAIN}/u/alice`, 'mimi://c.example/r/room')
      outcomes.push((await hostile.ask(a, 'keyMaterial', `mimi://${DOMAIN}/u/alice`, body)).problem)
    }
    expect(await finds('d.example', a)).toBe('d.example')
    // It pays itself, from a small budget of its own.
    expect(outcomes.filter((problem) => problem === 'rate-limited').length).toBeGreaterThanOrEqual(NEW_PEERS - 5)
  })

  it('is not used up by one account for all others', async () => {
    const { server } = await victim()
    const world = new World(server.url, DOMAIN)
    const [mallory, alice] = await world.cast('mallory', 'alice')
    const [greedy, modest] = [await bareToken(mallory), await bareToken(alice)]
    const looksFor = async (domain: string, token: string) => {
      const url = `${server.url}/v1/rooms?room=${encodeURIComponent(`mimi://${domain}/r/club`)}`
      return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status
    }
    const statuses: number[] = []
    for (let number = 0; number < NEW_PEERS + 5; number++) statuses.push(await looksFor(invented(number), greedy))
    expect(statuses.indexOf(429)).toBe(30)
    expect(await looksFor('d.example', modest)).not.toBe(429)
    await world.disconnect()
  })

  it('is not used up by one address for all others', async () => {
    const a = await victim()
    const told: (string | undefined)[] = []
    for (let number = 0; number < NEW_PEERS + 5; number++) {
      const wrong = { domain: invented(number), fields: from('192.0.2.7') }
      told.push((await hostile.ask(a, 'directory', `mimi://${DOMAIN}/u/alice`, Buffer.alloc(0), wrong)).problem)
    }
    expect(new Set(told)).toEqual(new Set(['key-unknown', 'rate-limited']))
    expect((await honest.ask(a, 'directory', `mimi://${DOMAIN}/u/alice`, Buffer.alloc(0), { fields: from('198.51.100.1') })).status).toBe(
      404,
    )
  })
})

describe('a request that somebody has captured', () => {
  const ALICE = `mimi://${DOMAIN}/u/alice`
  /** The same request of d.example again and again, from an address. @returns the problems */
  async function replay(a: Victim, times: number, address: string): Promise<(string | undefined)[]> {
    const nonce = `captured-by-${address.replaceAll('.', '-')}`
    const told: (string | undefined)[] = []
    for (let time = 0; time < times; time++)
      told.push((await honest.ask(a, 'directory', ALICE, Buffer.alloc(0), { nonce, fields: from(address) })).problem)
    return told
  }

  it('takes nothing of the rate of the provider that has signed it, when it is sent again', async () => {
    const a = await victim({ FEDERATION_REQUESTS_PER_MINUTE: '5' })
    const told = await replay(a, 12, '192.0.2.7')
    expect(told).toEqual(['not-found', ...Array<string>(11).fill('nonce-replayed')])
    for (let own = 0; own < 4; own++) expect((await honest.ask(a, 'directory', ALICE, Buffer.alloc(0))).problem).toBe('not-found')
    expect((await honest.ask(a, 'directory', ALICE, Buffer.alloc(0))).problem).toBe('rate-limited')
  })

  it('takes nothing of it when it comes many times at once, either', async () => {
    const a = await victim({ FEDERATION_REQUESTS_PER_MINUTE: '5' })
    const nonce = 'captured-on-the-way'
    const told = await Promise.all(Array.from({ length: 20 }, () => honest.ask(a, 'directory', ALICE, Buffer.alloc(0), { nonce })))
    expect(told.filter(({ problem }) => problem === 'not-found')).toHaveLength(1)
    expect(told.filter(({ problem }) => problem === 'nonce-replayed')).toHaveLength(19)
    for (let own = 0; own < 4; own++) expect((await honest.ask(a, 'directory', ALICE, Buffer.alloc(0))).problem).toBe('not-found')
  })

  it('takes nothing of it where only the database knows of it: after a restart, or at another node', async () => {
    const a = await victim({ FEDERATION_REQUESTS_PER_MINUTE: '5' })
    const signatures = a.server.app.get(RequestSignatures, { strict: false })
    const told: (string | undefined)[] = []
    for (let time = 0; time < 4; time++) {
      told.push(...(await replay(a, 1, '192.0.2.8')))
      signatures['seen'].clear()
    }
    expect(told).toEqual(['not-found', ...Array<string>(3).fill('nonce-replayed')])
    for (let own = 0; own < 4; own++) expect((await honest.ask(a, 'directory', ALICE, Buffer.alloc(0))).problem).toBe('not-found')
    expect((await honest.ask(a, 'directory', ALICE, Buffer.alloc(0))).problem).toBe('rate-limited')
  })

  it('is paid for by the address that sends it again', async () => {
    const a = await victim({ FEDERATION_UNVERIFIED_PER_MINUTE: '5' })
    const told = await replay(a, 12, '192.0.2.7')
    expect(told.filter((problem) => problem === 'nonce-replayed').length).toBeLessThanOrEqual(6)
    expect(told.at(-1)).toBe('rate-limited')
    expect((await replay(a, 1, '198.51.100.1'))[0]).toBe('not-found')
  })
})
