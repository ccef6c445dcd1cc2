import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { SignedClient } from '../../src/federation/outbound/signed-client.js'
import { RemoteIssuers } from '../../src/federation/sealed/remote-issuers.js'
import { SealedRelay } from '../../src/federation/sealed/sealed-relay.js'
import { listPeers, noteInbound } from '../../src/federation/peers/peers.repository.js'
import { Events } from '../../src/platform/observability/events.js'
import { GENEROUS } from '../support/generous.js'
import { startServer, type TestServer } from '../support/server.js'
import { bareToken, problemOf, World } from '../support/world.js'
import { HostileProvider, type Answer } from './hostile/peer/hostile-provider.js'

/** Not hostile here: in trouble. */
let peer: HostileProvider
let server: TestServer
let world: World
let token: string
let alice: Client
/** An MLSMessage that could be an entry of a group. */
let message: string
beforeAll(async () => {
  peer = await new HostileProvider('c.example').listen()
  server = await startServer({
    ...GENEROUS,
    DOMAIN: 'a.example',
    PUBLIC_URL: 'http://a.example',
    FEDERATION: 'deny-list',
    FEDERATION_PEER_URLS: `c.example=${peer.url}`,
    FEDERATION_ALLOWED_RANGES: 'c.example=127.0.0.0/8',
  })
  world = new World(server.url, 'a.example', 0)
  ;[alice] = await world.cast('alice')
  token = await bareToken(alice)
  const group = await world.group(alice, [])
  message = Buffer.from(await group.encrypt('hello', group.epoch)).toString('base64url')
  await server.pool.query("INSERT INTO followed_group (group_id, hub, room_id) VALUES ('club', 'c.example', 'mimi://c.example/r/club')")
})
beforeEach(() => {
  peer.answering = () => ({ status: 200 })
})
afterAll(async () => {
  await world.disconnect()
  await Promise.all([server.close(), peer.close()])
})

const answers = (answer: Answer | 'hang up') => {
  peer.answering = () => answer
}
const asked = () =>
  server.app
    .get(SignedClient)
    .send({ peer: 'c.example', endpoint: 'directory', argument: 'mimi://c.example/u/carol', body: Buffer.alloc(0) })
const row = async () => (await listPeers(server.pool)).find(({ domain }) => domain === 'c.example')!

/** The problem that a user of a.example gets who asks for a room of c.example. */
async function problem(domain = 'c.example') {
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`${server.url}/v1/rooms?room=${encodeURIComponent(`mimi://${domain}/r/club`)}`, { headers })
  const { type, detail } = (await response.json()) as { type: string; detail: string }
  return { status: response.status, type, detail, retryAfter: response.headers.get('retry-after') }
}

describe('a peer whose clock is off', () => {
  it.each([
    [95, /9[4-6] seconds ahead of/],
    [-200, /(199|20[01]) seconds behind/],
  ])('by %i seconds is named with that: to the operator, in the log, and to the user, who does not wait', async (ahead, words) => {
    const record = jest.spyOn(server.app.get(Events), 'record')
    expect(await asked()).toMatchObject({ kind: 'answered' })
    answers({ status: 200, ahead })
    expect(await asked()).toMatchObject({ kind: 'clock-off', detail: expect.stringMatching(words) })
    expect(Math.abs((await row()).clockOffset! - ahead)).toBeLessThanOrEqual(1)
    const { status, type, detail } = await problem()
    expect([status, type, detail]).toEqual([502, 'urn:microchat:problem:hub-refused', expect.stringMatching(words)])
    expect(detail).toContain('c.example')
    // Again and again is one note.
    expect(record.mock.calls.filter(([name]) => name === 'peer.clock_off')).toHaveLength(1)
    answers({ status: 200 })
    await asked()
    expect((await row()).clockOffset).toBeNull()
    record.mockRestore()
  })

  it('is believed to be right again once a request of it was fresh', async () => {
    await server.pool.query("UPDATE peer SET clock_offset = 95 WHERE domain = 'c.example'")
    await noteInbound(server.pool, 'c.example')
    expect((await row()).clockOffset).toBeNull()
  })

  it('is not what somebody else says: an answer that is not signed by it names no clock', async () => {
    answers({ status: 200, ahead: 95, headers: { signature: `mimi=:${Buffer.alloc(64).toString('base64')}:` } })
    expect(await asked()).toMatchObject({ kind: 'unsigned' })
    expect((await row()).clockOffset).toBeNull()
  })
})

describe('a provider that refuses another', () => {
  it('is named: the other one', async () => {
    const type = 'urn:microchat:problem:peer-denied'
    answers({ status: 403, type: 'application/problem+json', body: Buffer.from(JSON.stringify({ type, status: 403 })) })
    const { status, detail } = await problem()
    expect([status, detail]).toEqual([502, 'c.example does not federate with this server.'])
  })

  it('is named: this one', async () => {
    await server.pool.query(`INSERT INTO peer (domain, policy) VALUES ('d.example', 'deny')`)
    expect(await problem('d.example')).toMatchObject({ status: 403, detail: 'This server does not federate with d.example.' })
  })
})

const CAROL = 'mimi://c.example/u/carol'
const CLUB = `/v1/groups/${Buffer.from('club').toString('base64url')}`
/** What users of a.example do by which c.example is asked, of a room there or besides. */
const CALLS: [what: string, method: string, path: string, body?: () => object][] = [
  ['look a room up', 'GET', `/v1/rooms?room=${encodeURIComponent('mimi://c.example/r/club')}`],
  ['ask for consent', 'POST', '/v1/consents', () => ({ target: CAROL })],
  ['take that back', 'DELETE', `/v1/consents?user=${encodeURIComponent(CAROL)}`],
  ['look for somebody', 'POST', '/v1/identifier-queries', () => ({ domain: 'c.example', handle: 'carol' })],
  ['read a device list', 'GET', `/v1/device-lists?user=${encodeURIComponent(CAROL)}`],
  ['look at a token issuer', 'GET', '/v1/tokens/issuer?issuer=c.example'],
  ['take the keys of its gateway', 'GET', '/v1/sealed-relay/c.example/keys'],
  ['look at a group', 'GET', CLUB],
  ['read its policy', 'GET', `${CLUB}/policy`],
  ['read its tree', 'GET', `${CLUB}/tree`],
  ['leave it', 'POST', `${CLUB}/leave`, () => ({})],
  ['post', 'POST', `${CLUB}/messages`, () => ({ message })],
]
async function answerTo([, method, path, body]: (typeof CALLS)[number]) {
  const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
  const response = await fetch(server.url + path, { method, headers, ...(body && { body: JSON.stringify(body()) }) })
  const { type, ...document } = (await response.json()) as Record<string, unknown>
  const kind = String(type).split(':').at(-1) ?? ''
  return { status: response.status, kind, retryAfter: response.headers.get('retry-after'), document }
}
const asProblem = (status: number, type: string, headers = {}): Answer => ({
  status,
  headers,
  type: 'application/problem+json',
  body: Buffer.from(JSON.stringify({ type: `urn:microchat:problem:${type}`, status })),
})
const WAITS = { 'retry-after': '7' }

describe.each<[string, Answer | 'hang up', { status: number; kind: RegExp; retryAfter?: string; document?: object }]>([
  ['a limit', asProblem(429, 'rate-limited', WAITS), { status: 429, kind: /^rate-limited$/, retryAfter: '7' }],
  [
    'a limit of its proxy',
    { status: 429, headers: { ...WAITS, signature: 'x' } },
    { status: 429, kind: /^rate-limited$/, retryAfter: '7' },
  ],
  [
    'that it is busy',
    asProblem(503, 'unavailable', WAITS),
    { status: 503, kind: /^(hub|peer)-unreachable$/, retryAfter: '7', document: { reason: 'failing', problem: 'unavailable' } },
  ],
  ['nothing', 'hang up', { status: 503, kind: /^(hub|peer)-unreachable$/, retryAfter: '5', document: { reason: 'unanswered' } }],
  [
    'that a signature is of another time',
    asProblem(401, 'signature-stale'),
    { status: 502, kind: /^(hub|peer)-refused$/, document: { reason: 'refused', problem: 'signature-stale' } },
  ],
  [
    'that it does not federate with this server',
    asProblem(403, 'peer-denied'),
    { status: 502, kind: /^(hub|peer)-refused$/, document: { reason: 'denied-there', problem: 'peer-denied' } },
  ],
  [
    'by a clock that is off',
    { status: 200, ahead: 95 },
    { status: 502, kind: /^(hub|peer)-refused$/, document: { reason: 'clock-off', clock_offset: expect.closeTo(95, -0.7) } },
  ],
])('a peer that answers %s', (_what, answer, { document = {}, ...expected }) => {
  // What could not be had is not asked for again at once, for anybody.
  beforeEach(() => {
    server.app.get(RemoteIssuers)['copies'].forget('c.example')
    server.app.get(SealedRelay)['copies'].forget('c.example')
  })

  it.each(CALLS)('looks the same to users who %s', async (...call) => {
    answers(answer)
    const got = await answerTo(call)
    expect(got).toMatchObject({ ...expected, kind: expect.stringMatching(expected.kind) })
    expect(got.document).toMatchObject(expected.status === 429 ? {} : { provider: 'c.example', ...document })
  })

  it('looks the same to users who claim KeyPackages for a room there', async () => {
    answers(answer)
    const got = await problemOf(alice.device.claim(CAROL, 1, 'mimi://c.example/r/club'))
    expect(got).toMatchObject({ status: expected.status, kind: expect.stringMatching(expected.kind) })
    expect(got.document).toMatchObject(expected.status === 429 ? {} : { provider: 'c.example', ...document })
  })
})

describe('a limit at a peer', () => {
  it.each<[string, Answer]>([
    ['signed', { status: 429, headers: { 'retry-after': '7' } }],
    ['of its proxy, unsigned', { status: 429, headers: { 'retry-after': '7', signature: 'x' } }],
  ])('is 429 with the time that it names: %s', async (_what, answer) => {
    answers(answer)
    expect(await problem()).toMatchObject({ status: 429, retryAfter: '7' })
  })
})

it('a connection that died between two requests costs nothing: the second is signed and sent again at once', async () => {
  await asked()
  const before = peer.seen.length
  let hangsUp = true
  peer.answering = () => {
    if (!hangsUp) return { status: 200 }
    hangsUp = false
    return 'hang up'
  }
  expect(await asked()).toMatchObject({ kind: 'answered', status: 200 })
  expect(peer.seen.length - before).toBe(2)
  peer.answering = () => 'hang up'
  expect(await asked()).toMatchObject({ kind: 'unreachable' })
  expect(peer.seen.length - before).toBe(4)
})
