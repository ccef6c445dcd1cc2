import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import pg from 'pg'
import { deleteAccount } from '../../../examples/client/account-end.js'
import type { Client } from '../../../examples/client/client.js'
import { Erasures } from '../../../src/accounts/erasure/erasure.job.js'
import { eventually } from '../../support/eventually.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import { HostileProvider, type Told, type Victim } from './peer/hostile-provider.js'
import { keyMaterialRequest, newClient } from './peer/tls.js'
import { abuseReport, consentEntry, eraseUser, handleQuery, userOf, vouchingFor } from './peer/users.js'

// A provider that wants to know who has an account at another one, and what is not for it to see.

const DOMAIN = 'a.example'
const ROOM = 'mimi://c.example/r/room'
const NOTHING = Buffer.alloc(0)
const mallory = newClient('c.example', 'mallory')
const MALLORY = userOf(mallory.client)

let hostile: HostileProvider
const servers: TestServer[] = []
const worlds: World[] = []
beforeAll(async () => {
  hostile = await new HostileProvider('c.example').listen()
  hostile.answering = vouchingFor(mallory)
})
afterAll(async () => {
  await Promise.all(worlds.map((world) => world.disconnect()))
  await Promise.all([hostile.close(), ...servers.map((server) => server.close())])
})

interface Setting {
  readonly a: Victim
  readonly server: TestServer
  readonly world: World
  /** URIs, of one length. */
  readonly users: Readonly<Record<'found' | 'hides' | 'block' | 'ended' | 'never', string>>
  readonly clients: readonly Client[]
}

const SETTINGS = {
  ...GENEROUS,
  DOMAIN,
  FEDERATION: 'open',
  PUBLIC_URL: `http://${DOMAIN}`,
  FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
}

/** Who is found, who does not want to be, who has blocked mallory, who has gone, and who was never there. */
async function setting(settings: Record<string, string> = {}): Promise<Setting> {
  const server = await startServer({ ...SETTINGS, FEDERATION_PEER_URLS: `c.example=${hostile.url}`, ...settings })
  servers.push(server)
  const world = new World(server.url, DOMAIN)
  worlds.push(world)
  const clients = await world.cast('found', 'hides', 'block', 'ended')
  const [found, hides, block, ended] = clients
  await hides.device.http.put('/v1/me/searchable', { searchable: false })
  await block.device.block(MALLORY)
  await deleteAccount(ended.device)
  await eventually(
    async () => {
      await server.app.get(Erasures, { strict: false }).run()
      return server.pool.query('SELECT FROM account WHERE user_uri = $1', [ended.user])
    },
    ({ rowCount }) => rowCount === 0,
  )
  const users = { found: found.user, hides: hides.user, block: block.user, ended: ended.user, never: found.user.replace('found', 'never') }
  return { a: { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` } }, server, world, users, clients }
}

type Asked = [endpoint: string, argument: string, body: Buffer]
const ASKED: Readonly<Record<string, (user: string) => Asked>> = {
  directory: (user) => ['directory', user, NOTHING],
  deviceList: (user) => ['deviceList', user, NOTHING],
  keyMaterial: (user) => ['keyMaterial', user, keyMaterialRequest(mallory, user, ROOM)],
  'requestConsent, request': (user) => ['requestConsent', DOMAIN, consentEntry('request', MALLORY, user)],
  'requestConsent, cancel': (user) => ['requestConsent', DOMAIN, consentEntry('cancel', MALLORY, user)],
  'updateConsent, grant': (user) => ['updateConsent', DOMAIN, consentEntry('grant', user, MALLORY)],
  'updateConsent, revoke': (user) => ['updateConsent', DOMAIN, consentEntry('revoke', user, MALLORY)],
  identifierQuery: (user) => ['identifierQuery', DOMAIN, handleQuery(user)],
  reportAbuse: (user) => ['reportAbuse', `mimi://${DOMAIN}/r/room`, abuseReport(user)],
  eraseUser: (user) => ['eraseUser', user, eraseUser(user)],
}

/** Of what came back: all but the name that was asked for, and what differs between two answers to one request. */
function shownBy({ status, headers, body }: Told, user: string): string {
  const name = user.replace(/^.*\/u\//, '')
  const text = body
    .toString('latin1')
    .replaceAll(name, '*')
    .replace(/urn:request:[\w.-]+/, 'urn:request:*')
  const told = ['content-type', 'content-length', 'mimi-target', 'retry-after', 'cache-control'].map((field) => headers.get(field))
  return JSON.stringify([status, told, [...headers.keys()].toSorted(), text])
}

/** The statements of what somebody asks: those that each of some tries has seen, as jobs run beside it. */
async function statementsOf(ask: () => Promise<unknown>): Promise<string[]> {
  const runs: string[][] = []
  const query = Reflect.get(pg.Client.prototype, 'query') as (...given: unknown[]) => unknown
  for (let tries = 0; tries < 4; tries++) {
    const seen: string[] = []
    const watched = function (this: pg.Client, ...given: unknown[]): unknown {
      const [first] = given
      seen.push(typeof first === 'string' ? first : String((first as { text?: string }).text))
      return Reflect.apply(query, this, given)
    }
    Reflect.set(pg.Client.prototype, 'query', watched)
    await ask().finally(() => Reflect.set(pg.Client.prototype, 'query', query))
    runs.push(seen)
  }
  const [first = [], ...more] = runs
  const count = (run: readonly string[], text: string) => run.filter((one) => one === text).length
  return [...new Set(first)].flatMap((text) => Array<string>(Math.min(...[first, ...more].map((run) => count(run, text)))).fill(text))
}

/** Those who are found by searches stand apart where nothing else is needed, and who has blocked somebody where nobody says who asks. */
const ALL = ['found', 'hides', 'block', 'ended', 'never'] as const
const UNLIKE: Readonly<Record<string, readonly (typeof ALL)[number][]>> = {
  keyMaterial: ['hides', 'block', 'ended', 'never'],
  identifierQuery: ['hides', 'ended', 'never'],
}

describe('a provider that has nothing to do with a user', () => {
  let given: Setting
  beforeAll(async () => void (given = await setting({ IDENTIFIER_QUERIES_PER_MINUTE: '100000' })))

  it.each(Object.keys(ASKED))('is answered by %s in one way for all who are not found', async (name) => {
    const answers = new Map<string, string[]>()
    for (const kind of UNLIKE[name] ?? ALL) {
      const user = given.users[kind]
      const told = shownBy(await hostile.ask(given.a, ...(ASKED[name] as (user: string) => Asked)(user)), user)
      answers.set(told, [...(answers.get(told) ?? []), kind])
    }
    expect([...answers.values()]).toEqual([UNLIKE[name] ?? ALL])
  })

  it.each(Object.keys(ASKED))('causes the same statements by %s for all who are not found', async (name) => {
    const statements: string[][] = []
    for (const kind of UNLIKE[name] ?? ALL)
      statements.push(await statementsOf(() => hostile.ask(given.a, ...(ASKED[name] as (user: string) => Asked)(given.users[kind]))))
    for (const others of statements) expect(others).toEqual(statements[0])
    expect(statements[0]?.length).toBeGreaterThan(0)
  })

  it('finds whom everybody finds, and gets KeyPackages of nobody else', async () => {
    const codes = new Map<string, number | undefined>()
    for (const [kind, user] of Object.entries(given.users)) {
      const { body } = await hostile.ask(given.a, ...(ASKED['keyMaterial'] as (user: string) => Asked)(user))
      codes.set(kind, body[1])
    }
    const [SUCCESS, NO_CONSENT] = [0, 5]
    expect(Object.fromEntries(codes)).toEqual({
      found: SUCCESS,
      hides: NO_CONSENT,
      block: NO_CONSENT,
      ended: NO_CONSENT,
      never: NO_CONSENT,
    })
  })
})

describe('a provider that asks for users by name', () => {
  it('pays for each that it is not shown with its searches, of whatever kind', async () => {
    const { a, users } = await setting({ IDENTIFIER_QUERIES_PER_MINUTE: '4' })
    const told: (string | undefined)[] = []
    for (const [kind, endpoint] of [
      ['never', 'directory'],
      ['hides', 'deviceList'],
      ['never', 'keyMaterial'],
      ['hides', 'keyMaterial'],
      ['never', 'directory'],
      ['hides', 'directory'],
      ['never', 'keyMaterial'],
      ['hides', 'identifierQuery'],
    ] as const)
      told.push((await hostile.ask(a, ...(ASKED[endpoint] as (user: string) => Asked)(users[kind]))).problem)
    expect(told).toEqual(['not-found', 'not-found', undefined, undefined, 'rate-limited', 'rate-limited', 'rate-limited', 'rate-limited'])
  })

  it('pays for claims in vain of one of its users with that one’s searches', async () => {
    const { a, users } = await setting()
    const told: (string | undefined)[] = []
    for (let time = 0; time < 31; time++)
      told.push((await hostile.ask(a, ...(ASKED['keyMaterial'] as (user: string) => Asked)(users.never))).problem)
    expect(told.indexOf('rate-limited')).toBe(30)
  })
})

describe('a provider is shown a user', () => {
  const shown = async ({ a }: Setting, user: string) => {
    const statuses: number[] = []
    for (const endpoint of ['directory', 'deviceList']) statuses.push((await hostile.ask(a, endpoint, user, NOTHING)).status)
    return statuses
  }
  let given: Setting
  beforeAll(async () => void (given = await setting()))

  it('who has consented to one of its users, until that is over', async () => {
    const [found] = given.clients as [Client]
    const decide = (state: string) => found.device.http.put(`/v1/consents/${encodeURIComponent(MALLORY)}`, { state })
    expect(await shown(given, found.user)).toEqual([404, 404])
    await decide('granted')
    expect(await shown(given, found.user)).toEqual([200, 200])
    await decide('revoked')
    expect(await shown(given, found.user)).toEqual([404, 404])
  })

  it('who has asked one of its users for consent', async () => {
    const [, hides] = given.clients as [Client, Client]
    expect(await shown(given, hides.user)).toEqual([404, 404])
    await hides.device.http.post('/v1/consents', { target: MALLORY }).catch(() => undefined)
    expect(await shown(given, hides.user)).toEqual([200, 200])
  })

  it('not because it says unasked that one of its users has consented', async () => {
    const [carol] = await given.world.cast('carol')
    expect((await hostile.ask(given.a, 'updateConsent', DOMAIN, consentEntry('grant', carol.user, MALLORY))).status).toBe(201)
    expect(await shown(given, carol.user)).toEqual([404, 404])
  })

  it('whose KeyPackages it has got for a room of its own', async () => {
    const [dave] = await given.world.cast('dave')
    expect(await shown(given, dave.user)).toEqual([404, 404])
    await hostile.ask(given.a, 'keyMaterial', dave.user, keyMaterialRequest(mallory, dave.user, ROOM))
    expect(await shown(given, dave.user)).toEqual([200, 200])
  })

  it('who has sent it a request', async () => {
    const [erin] = await given.world.cast('erin')
    expect(await shown(given, erin.user)).toEqual([404, 404])
    await erin.device.claim(MALLORY, 1, ROOM).catch(() => undefined)
    expect(await shown(given, erin.user)).toEqual([200, 200])
  })
})
