import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { bareToken, World } from '../../support/world.js'
import { HostileProvider, type Victim } from './peer/hostile-provider.js'
import { keyMaterialRequest, newClient, type HostileClient } from './peer/tls.js'
import { userOf, vouchingFor } from './peer/users.js'

// Providers that claim KeyPackages for users whom they invent.

const DOMAIN = 'a.example'
const [SUCCESS, NO_COMPATIBLE] = [0, 3]
const people = Array.from({ length: 8 }, (_, number) => newClient('c.example', `invented-${number}`))
const others = Array.from({ length: 8 }, (_, number) => newClient('d.example', `invented-${number}`))
const friend = newClient('c.example', 'friend')

const peers = { 'c.example': new HostileProvider('c.example'), 'd.example': new HostileProvider('d.example') }
const servers: TestServer[] = []
const worlds: World[] = []
beforeAll(async () => {
  await Promise.all(Object.values(peers).map((peer) => peer.listen()))
  peers['c.example'].answering = vouchingFor(...people, friend)
  peers['d.example'].answering = vouchingFor(...others)
})
afterAll(async () => {
  await Promise.all(worlds.map((world) => world.disconnect()))
  await Promise.all([...servers, ...Object.values(peers)].map((one) => one.close()))
})

interface Setting {
  readonly a: Victim
  readonly server: TestServer
  readonly world: World
}

let usual: Promise<Setting> | undefined
/** With the usual settings, for all tests that need no others. */
const anySetting = (): Promise<Setting> => (usual ??= setting())

async function setting(settings: Record<string, string> = {}): Promise<Setting> {
  const server = await startServer({
    ...GENEROUS,
    DOMAIN,
    FEDERATION: 'open',
    PUBLIC_URL: `http://${DOMAIN}`,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    FEDERATION_PEER_URLS: Object.values(peers)
      .map(({ domain, url }) => `${domain}=${url}`)
      .join(','),
    ...settings,
  })
  servers.push(server)
  const world = new World(server.url, DOMAIN)
  worlds.push(world)
  return { a: { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` } }, server, world }
}

/** Alice uploads nothing by herself any more. */
async function cast({ world }: Setting): Promise<[Client, Client]> {
  const [alice, bob] = await world.cast('alice', 'bob')
  await alice.disconnect()
  return [alice, bob]
}

let rooms = 0
/** A claim by somebody at a provider, for a room of its own. @returns the code for the user, or the problem */
async function claim({ a }: Setting, by: HostileClient, target: string): Promise<number | string | undefined> {
  const provider = peers[new URL(by.client.replace('mimi:', 'http:')).host as keyof typeof peers]
  const room = `mimi://${provider.domain}/r/room-${rooms++}`
  const { problem, body } = await provider.ask(a, 'keyMaterial', target, keyMaterialRequest(by, target, room))
  return problem ?? body[1]
}

/** Ordinary KeyPackages that a user's device has left. */
async function leftOf({ server }: Setting, { uri }: Client): Promise<number> {
  const { rows } = await server.pool.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM key_package k JOIN device d ON d.id = k.device_id WHERE d.client_uri = $1 AND NOT k.last_resort AND k.cipher_suite = 1`,
    [uri],
  )
  return rows[0]?.left ?? 0
}

const claimsOf = (client: Client, user: string) => client.device.claim(user, 1)

describe('KeyPackages of a user', () => {
  it('do not all go to users whom one provider invents, nor to those of several', async () => {
    const given = await anySetting()
    const [alice, bob] = await cast(given)
    await alice.device.publishKeyPackages(57)
    expect(await leftOf(given, alice)).toBe(60)
    for (let time = 0; time < 24; time++) await claim(given, people[time % people.length]!, alice.user)
    expect(await leftOf(given, alice)).toBe(45)
    for (let time = 0; time < 24; time++) await claim(given, others[time % others.length]!, alice.user)
    expect(await leftOf(given, alice)).toBe(34)
    expect((await claimsOf(bob, alice.user)).key_packages).toMatchObject([{ last_resort: false }])
  })

  it('never go to strangers to the last: one is left for users of the server, and for those with consent', async () => {
    const given = await anySetting()
    const [alice, bob] = await cast(given)
    const outcomes = await Promise.all([...people, ...others].map((by) => claim(given, by, alice.user)))
    expect(await leftOf(given, alice)).toBe(1)
    expect(outcomes.filter((code) => code === SUCCESS).length).toBeGreaterThanOrEqual(2)
    await alice.device.http.put(`/v1/consents/${encodeURIComponent(userOf(friend.client))}`, { state: 'granted' })
    expect(await claim(given, friend, alice.user)).toBe(SUCCESS)
    expect(await leftOf(given, alice)).toBe(0)
    await alice.device.publishKeyPackages(1)
    await Promise.all([...people, ...others].map((by) => claim(given, by, alice.user)))
    expect((await claimsOf(bob, alice.user)).key_packages).toMatchObject([{ last_resort: false }])
    expect(await leftOf(given, alice)).toBe(0)
  })

  it('are said to be exhausted to a stranger, of a device that keeps its last one', async () => {
    const given = await anySetting()
    const [alice] = await cast(given)
    await given.server.pool.query(
      'DELETE FROM key_package k USING device d WHERE d.id = k.device_id AND d.client_uri = $1 AND (last_resort OR cipher_suite <> 1)',
      [alice.uri],
    )
    for (const by of people) await claim(given, by, alice.user)
    const body = keyMaterialRequest(others[0]!, alice.user, 'mimi://d.example/r/room')
    const told = await peers['d.example'].ask(given.a, 'keyMaterial', alice.user, body)
    const EXHAUSTED = 1
    expect(told.body[1]).toBe(NO_COMPATIBLE)
    expect(told.body[told.body.indexOf(alice.uri) - 2]).toBe(EXHAUSTED)
  })
})

describe('claims of one user', () => {
  it('beyond what a provider may keep neither users of the server from it, nor other providers, nor those with consent', async () => {
    const given = await setting({ CLAIMS_PER_TARGET_PER_MINUTE: '6' })
    const [alice, bob] = await cast(given)
    const outcomes: (number | string | undefined)[] = []
    for (let time = 0; time < 10; time++) outcomes.push(await claim(given, people[time % people.length]!, alice.user))
    expect(outcomes.slice(6)).toEqual(Array(4).fill('rate-limited'))
    expect((await claimsOf(bob, alice.user)).key_packages).toHaveLength(1)
    expect(await claim(given, others[0]!, alice.user)).not.toBe('rate-limited')
    expect(await claim(given, friend, alice.user)).toBe('rate-limited')
    await alice.device.http.put(`/v1/consents/${encodeURIComponent(userOf(friend.client))}`, { state: 'granted' })
    expect(await claim(given, friend, alice.user)).not.toBe('rate-limited')
  })

  it('by users of this server have a budget of their own', async () => {
    const given = await setting({ CLAIMS_PER_TARGET_PER_MINUTE: '3' })
    const [alice, bob] = await cast(given)
    const headers = { authorization: `Bearer ${await bareToken(bob)}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ user: alice.user, cipher_suites: [1] })
    const statuses: number[] = []
    for (let time = 0; time < 4; time++)
      statuses.push((await fetch(`${given.server.url}/v1/key-packages/claims`, { method: 'POST', headers, body })).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    expect(await claim(given, people[0]!, alice.user)).not.toBe('rate-limited')
  })
})

describe('a claim that a hub has got', () => {
  const [hub, other] = [peers['c.example'], peers['d.example']]
  const ROOM = 'mimi://c.example/r/club'

  it('is of no use to it for a second KeyPackage, whatever has become of the first', async () => {
    const given = await anySetting()
    const [alice] = await cast(given)
    const request = keyMaterialRequest(friend, alice.user, ROOM)
    const first = await hub.ask(given.a, 'keyMaterial', alice.user, request)
    await given.server.pool.query('UPDATE key_package_claim SET used = true')
    const again = await hub.ask(given.a, 'keyMaterial', alice.user, request)
    expect([first.body[1], again.body.equals(first.body)]).toEqual([SUCCESS, true])
    expect(await leftOf(given, alice)).toBe(2)
  })

  it('is of no use to another hub, nor for another room, user or time than was signed', async () => {
    const given = await anySetting()
    const [alice] = await cast(given)
    const ask = async (by: HostileProvider, body: Buffer) => {
      const { status, problem } = await by.ask(given.a, 'keyMaterial', alice.user, body)
      return [status, problem]
    }
    expect(await ask(other, keyMaterialRequest(friend, alice.user, ROOM))).toEqual([403, 'foreign-domain'])
    expect(await ask(hub, keyMaterialRequest(friend, alice.user, ROOM, { hub: 'd.example' }))).toEqual([403, 'foreign-domain'])
    const NO_CONSENT = 5
    const changed = keyMaterialRequest(friend, alice.user, ROOM)
    // The last byte of the nonce: the signature does not hold any more.
    const at = changed.length - 66 - 1
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
    expect((await hub.ask(given.a, 'keyMaterial', alice.user, changed)).body[1]).toBe(NO_CONSENT)
    expect(await leftOf(given, alice)).toBe(3)
  })

  it('counts for five minutes, by a clock that may be four minutes ahead', async () => {
    const given = await anySetting()
    const [alice] = await cast(given)
    const problems: (string | undefined)[] = []
    for (const minutes of [-6, -4, 3, 5]) {
      const body = keyMaterialRequest(friend, alice.user, ROOM, { madeAt: Date.now() + minutes * 60_000 })
      problems.push((await hub.ask(given.a, 'keyMaterial', alice.user, body)).problem)
    }
    expect(problems).toEqual(['request-stale', undefined, undefined, 'request-stale'])
  })
})
