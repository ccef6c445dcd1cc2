import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { purgeForeignUsers } from '../../../src/authentication/directory/foreign-devices.repository.js'
import type { Group } from '../../../examples/client/group.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import { HostileProvider, type Victim } from './peer/hostile-provider.js'
import { cbor } from './peer/hub.js'
import { privateMessage } from './peer/mls.js'
import { keyMaterialRequest, newClient, opaque, type HostileClient } from './peer/tls.js'

// A peer that signs well has this server fetch users that it invents, with as many devices as they can have.

const DOMAIN = 'a.example'
const REQUESTS = 72
const DEVICES = 200
/** Devices of one user that are written down. */
const MOST = 20
let peer: HostileProvider
let server: TestServer
let a: Victim
let world: World
beforeAll(async () => {
  peer = await new HostileProvider('c.example').listen()
  server = await startServer({
    ...GENEROUS,
    DOMAIN,
    PUBLIC_URL: `http://${DOMAIN}`,
    FEDERATION: 'open',
    FEDERATION_PEER_URLS: `c.example=${peer.url}`,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    LIMITS: `peer-body-bytes=1000000000,address-peer-requests=100000,foreign-devices-of-user=${MOST}`,
  })
  world = new World(server.url, DOMAIN)
  a = { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` } }
})
afterEach(() => world.disconnect())
afterAll(async () => {
  await server.close()
  await peer.close()
})

let serial = 0
let users: HostileClient[] = []
beforeEach(() => {
  users = Array.from({ length: REQUESTS }, () => newClient('c.example', `mallory-${++serial}`))
  peer.seen.length = 0
  // Each of its users has two hundred devices, of which the first is the one that asks.
  peer.answering = (endpoint, _body, url) => {
    const asked = users.find(({ client }) => decodeURIComponent(url).includes(userOf(client)))
    if (endpoint !== 'directory' || !asked) return { status: 404 }
    const others = Array.from({ length: DEVICES - 1 }, (_, n) => device(`${deviceOf(asked.client)}-${n}`, newKey()))
    return { status: 200, body: cbor({ devices: [device(asked.client, asked.key.raw), ...others] }) }
  }
})

const userOf = (client: string) => client.replace('/d/', '/u/').replace(/\/phone$/, '')
const deviceOf = (client: string) => client.replace(/\/phone$/, '/other')
const key = newClient('c.example', 'any').key.raw
const newKey = () => key
const device = (client: string, raw: Uint8Array) => ({ client, signature_keys: [{ public_key: raw, valid_from: 1 }] })

const operation = (name: string, client: string, groupId: Uint8Array) =>
  Buffer.concat([opaque(name), opaque(client), opaque(groupId), opaque(cbor({}))])
/** MLS 1.0, the message, who sends it, the incarnation. */
const submission = (client: string, groupId: Uint8Array) =>
  Buffer.concat([Buffer.of(1), privateMessage({ groupId, epoch: 0 }, 'application'), opaque(client)])

const rows = async () => {
  const { rows: found } = await server.pool.query<{ users: number; devices: number; keys: number; inbox: number }>(
    `SELECT (SELECT count(*)::int FROM account WHERE user_uri LIKE 'mimi://c.example/%') AS users,
            (SELECT count(*)::int FROM device WHERE client_uri LIKE 'mimi://c.example/%') AS devices,
            (SELECT count(*)::int FROM foreign_signature_key) AS keys,
            (SELECT count(*)::int FROM inbox i JOIN device d ON d.id = i.device_id WHERE d.client_uri LIKE 'mimi://c.example/%') AS inbox`,
  )
  return found[0]!
}
const NOTHING = { users: 0, devices: 0, keys: 0, inbox: 0 }
const asked = () => peer.seen.filter((endpoint) => endpoint === 'directory' || endpoint === 'deviceList').length

async function closedRoom(): Promise<{ group: Group; room: string }> {
  const [alice] = await world.cast('alice')
  const group = await world.group(alice, [], { room: world.unique(`closed-${++serial}`) })
  const { room } = await alice.device.http.get<{ room: string }>(group.path)
  return { group, room }
}

describe('a peer that names users of its own', () => {
  const nowhere = `mimi://${DOMAIN}/r/nowhere`
  const cases: [string, (client: HostileClient) => [endpoint: string, argument: string, body: Buffer]][] = [
    ['operation, in a room that is not there', ({ client }) => ['operation', nowhere, operation('group', client, Buffer.from('none'))]],
    ['revoked, in a room that is not there', ({ client }) => ['operation', nowhere, operation('revoked', client, Buffer.from('none'))]],
    ['submitMessage, in a room that is not there', ({ client }) => ['submitMessage', nowhere, submission(client, Buffer.from('none'))]],
    [
      'keyMaterial, for a room that is not there',
      (client) => ['keyMaterial', `mimi://${DOMAIN}/u/alice`, keyMaterialRequest(client, `mimi://${DOMAIN}/u/alice`, nowhere)],
    ],
  ]
  it.each(cases)('costs no row and no look at it: %s', async (_what, request) => {
    for (const client of users) {
      const [endpoint, argument, body] = request(client)
      expect((await peer.ask(a, endpoint, argument, body)).status).not.toBe(429)
    }
    expect([await rows(), asked()]).toEqual([NOTHING, 0])
  })

  it('costs none in a room that is closed to it, and hears nothing else of that than of one that is not there', async () => {
    const { group, room } = await closedRoom()
    const { groupId } = group.record
    for (const client of users.slice(0, 10)) {
      const told = await peer.ask(a, 'operation', room, operation('group', client.client, groupId))
      const elsewhere = await peer.ask(a, 'operation', nowhere, operation('group', client.client, Buffer.from('none')))
      expect([told.status, told.problem]).toEqual([elsewhere.status, elsewhere.problem])
      await peer.ask(a, 'operation', room, operation('revoked', client.client, groupId))
      await peer.ask(a, 'submitMessage', room, submission(client.client, groupId))
      await peer.ask(a, 'keyMaterial', `mimi://${DOMAIN}/u/alice`, keyMaterialRequest(client, `mimi://${DOMAIN}/u/alice`, room))
    }
    expect([await rows(), asked()]).toEqual([NOTHING, 0])
  })

  it('has one device of each written down where it may ask, instead of two hundred, and those go again', async () => {
    const target = `mimi://${DOMAIN}/u/alice`
    for (const client of users) await peer.ask(a, 'keyMaterial', target, keyMaterialRequest(client, target, 'mimi://c.example/r/its-own'))
    expect(await rows()).toEqual({ users: REQUESTS, devices: REQUESTS, keys: REQUESTS, inbox: 0 })
    await purgeForeignUsers(server.pool, 1_000)
    expect((await rows()).users).toBe(REQUESTS)
    await server.pool.query("UPDATE foreign_user SET look_at = now() - interval '1 second'")
    await purgeForeignUsers(server.pool, 1_000)
    expect(await rows()).toEqual(NOTHING)
  })

  it('has no more devices of one user than may be, however often it asks', async () => {
    const [one] = users as [HostileClient]
    const target = `mimi://${DOMAIN}/u/alice`
    const clients = Array.from({ length: MOST + 10 }, (_, n) => ({ ...one, client: `${one.client}-${n}` }))
    peer.answering = (endpoint) =>
      endpoint === 'directory'
        ? { status: 200, body: cbor({ devices: clients.map((each) => device(each.client, each.key.raw)) }) }
        : { status: 404 }
    for (const client of clients) await peer.ask(a, 'keyMaterial', target, keyMaterialRequest(client, target, 'mimi://c.example/r/its-own'))
    expect((await rows()).devices).toBe(MOST)
  })
})

describe('bytes that a peer sends', () => {
  it('count together, however many users it invents to send them', async () => {
    const small = await startServer({
      ...GENEROUS,
      DOMAIN,
      PUBLIC_URL: `http://${DOMAIN}`,
      FEDERATION: 'open',
      FEDERATION_PEER_URLS: `c.example=${peer.url}`,
      FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
      FEDERATION_BYTES_PER_MINUTE: '20000',
    })
    const victim = { ...a, url: small.url }
    const told: (string | undefined)[] = []
    for (const { client } of users.slice(0, 10)) {
      const body = Buffer.concat([opaque('group'), opaque(client), opaque('none'), opaque(Buffer.alloc(5_000))])
      const answer = await peer.ask(victim, 'operation', `mimi://${DOMAIN}/r/nowhere`, body)
      told.push(answer.status === 429 ? answer.problem : 'taken')
      if (answer.status === 429) expect(Number(answer.retryAfter)).toBeGreaterThan(0)
    }
    await small.close()
    expect(told).toEqual([...Array<string>(3).fill('taken'), ...Array<string>(7).fill('rate-limited')])
  })
})
