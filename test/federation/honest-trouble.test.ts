import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { SignedClient } from '../../src/federation/outbound/signed-client.js'
import { listPeers, noteInbound } from '../../src/federation/peers/peers.repository.js'
import { Events } from '../../src/platform/observability/events.js'
import { GENEROUS } from '../support/generous.js'
import { startServer, type TestServer } from '../support/server.js'
import { bareToken, World } from '../support/world.js'
import { HostileProvider, type Answer } from './hostile/peer/hostile-provider.js'

/** Not hostile here: in trouble. */
let peer: HostileProvider
let server: TestServer
let world: World
let token: string
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
  const [alice] = await world.cast('alice')
  token = await bareToken(alice)
})
beforeEach(() => {
  peer.answering = () => ({ status: 200 })
})
afterAll(async () => {
  await world.disconnect()
  await Promise.all([server.close(), peer.close()])
})

const answers = (answer: Answer) => {
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
