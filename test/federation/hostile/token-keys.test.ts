import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { encode } from 'cborg'
import { RemoteIssuers } from '../../../src/federation/sealed/remote-issuers.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { problemOf, World } from '../../support/world.js'
import { HostileProvider } from './peer/hostile-provider.js'

// A hub that wants to know by a token's key for whom it was: it shows each provider, each fetch or each user another one.

const DAY = 86_400
const seconds = () => Math.floor(Date.now() / 1000)

interface Key {
  readonly 'token-type': number
  readonly 'token-key': string
  readonly 'not-before': number
  readonly 'redeem-until': number
}
const keyFrom = (name: string, from: number): Key => ({
  'token-type': 2,
  'token-key': Buffer.from(name.padEnd(66)).toString('base64'),
  'not-before': from,
  'redeem-until': from + 14 * DAY,
})

interface Directory {
  readonly 'token-keys': Key[]
}

let hub: HostileProvider
let database: TestDatabase
let nodes: TestServer[]
let shown: (fetch: number) => Key[]
let fetches = 0
beforeAll(async () => {
  hub = await new HostileProvider('c.example').listen()
  hub.answering = (endpoint) => {
    if (endpoint !== 'tokenDirectory') return { status: 404 }
    const directory = { 'issuer-request-uri': '/tokens', 'token-keys': shown(++fetches), 'batch-size': 50 }
    return { status: 200, body: encode(directory) }
  }
  database = await createTestDatabase()
  const settings = {
    ...GENEROUS,
    DOMAIN: 'a.example',
    FEDERATION: 'open',
    PUBLIC_URL: 'http://a.example',
    FEDERATION_PEER_URLS: `c.example=${hub.url}`,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
  }
  nodes = [await startServer(settings, { database }), await startServer(settings, { database })]
})
afterAll(async () => {
  await Promise.all([hub.close(), ...nodes.map((node) => node.close())])
  await database.drop()
})

/** Nothing is known of the hub, and no node has a copy. */
async function forget(): Promise<void> {
  await nodes[0]!.pool.query('DELETE FROM token_issuer')
  age()
}
const age = () => nodes.forEach(({ app }) => app.get(RemoteIssuers)['copies'].forget('c.example'))
const refusal = async () => (await nodes[0]!.pool.query<{ refusal: string | null }>('SELECT refusal FROM token_issuer')).rows[0]?.refusal

/** What a node shows a user: the names of the keys. */
async function toldBy(node: TestServer): Promise<{ keys: string[]; whole: string }> {
  const world = new World(node.url, 'a.example')
  const [alice] = await world.cast('alice')
  const directory = await alice.device.http.get<Directory>('/v1/tokens/issuer?issuer=c.example')
  await world.disconnect()
  const keys = directory['token-keys'].map((key) => Buffer.from(key['token-key'], 'base64').toString().trim())
  return { keys, whole: JSON.stringify(directory) }
}

describe('the keys for send tokens of a hub', () => {
  it('are the same for all users, at all nodes, whatever it shows at each fetch; the operator is alarmed', async () => {
    await forget()
    const from = seconds() - DAY
    shown = (fetch) => [keyFrom(`key ${fetch}`, from)]
    const first = await toldBy(nodes[0]!)
    for (const node of [nodes[1]!, nodes[0]!, nodes[1]!]) {
      age()
      expect(await toldBy(node)).toEqual(first)
    }
    expect(await refusal()).toBe('a new key was not announced before it signs')
  })

  it('change as they were announced, one at a time', async () => {
    await forget()
    const now = seconds()
    const [first, second, third] = [keyFrom('first', now - DAY), keyFrom('second', now + DAY), keyFrom('third', now + 2 * DAY)]
    shown = () => [first]
    await toldBy(nodes[0]!)
    shown = () => [first, second]
    await nodes[0]!.app.get(RemoteIssuers).refresh()
    age()
    expect([(await toldBy(nodes[1]!)).keys, await refusal()]).toEqual([['first', 'second'], null])
    // Another user, at another fetch, another announcement.
    shown = () => [first, third]
    age()
    expect([(await toldBy(nodes[0]!)).keys, await refusal()]).toEqual([['first', 'second'], 'a third key is announced'])
    shown = () => [first, second]
    age()
    expect([(await toldBy(nodes[0]!)).keys, await refusal()]).toEqual([['first', 'second'], null])
  })

  it('are none where it names three', async () => {
    await forget()
    const now = seconds()
    shown = () => [keyFrom('first', now - DAY), keyFrom('second', now), keyFrom('third', now + DAY)]
    const world = new World(nodes[0]!.url, 'a.example')
    const [alice] = await world.cast('alice')
    expect((await problemOf(alice.device.http.get('/v1/tokens/issuer?issuer=c.example'))).kind).toBe('hub-bad-response')
    await world.disconnect()
  })
})
