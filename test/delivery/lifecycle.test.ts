import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { WebSocket } from 'ws'
import { encodeFrame, STREAM_PROTOCOL } from '../../src/protocol/frames.js'
import { useTestDatabase } from '../support/database.js'
import { createHints, newDevice, startNode, TestGroup, tokenOf, type TestNode } from './delivery-kit.js'
import { StreamClient } from './stream-client.js'

const database = useTestDatabase()
const nodes: TestNode[] = []
const clients: StreamClient[] = []
let alice: bigint

beforeEach(async () => {
  alice = await newDevice(database.pool)
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.leave()))
  await Promise.all(nodes.splice(0).map((node) => node.close()))
})

async function start(...parameters: Parameters<typeof startNode> extends [unknown, ...infer Rest] ? Rest : never): Promise<TestNode> {
  const node = await startNode(database.pool, ...parameters)
  nodes.push(node)
  return node
}
async function connect(node: TestNode, deviceId = alice, options?: Parameters<typeof StreamClient.connect>[2]): Promise<StreamClient> {
  const client = await StreamClient.connect(node.wsUrl, deviceId, options)
  clients.push(client)
  return client
}

interface Answer { status: number; type: string | undefined; body: { type: string }; challenge: string | undefined }

/** An upgrade as any HTTP client would ask for it. */
function upgrade(node: TestNode, path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${node.wsUrl.replace('ws', 'http')}${path}`, {
      headers: { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AQIDBAUGBwgJCgsMDQ4PEA==', ...headers },
    })
    asked.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({
        status: response.statusCode ?? 0, type: response.headers['content-type'],
        body: JSON.parse(Buffer.concat(chunks).toString()) as { type: string }, challenge: response.headers['www-authenticate'],
      }))
    })
    asked.on('upgrade', () => reject(new Error('was upgraded')))
    asked.on('error', reject)
    asked.end()
  })
}

describe('the upgrade', () => {
  const good = { 'sec-websocket-protocol': STREAM_PROTOCOL, authorization: `Bearer ${tokenOf(1n)}` }

  it.each<[string, string, Record<string, string>, number, string]>([
    ['no token', '/v1/stream', { 'sec-websocket-protocol': STREAM_PROTOCOL }, 401, 'unauthenticated'],
    ['a token that is none', '/v1/stream', { ...good, authorization: 'Bearer nonsense' }, 401, 'unauthenticated'],
    ['an expired token', '/v1/stream', { ...good, authorization: `Bearer ${tokenOf(1n, Date.now() - 1)}` }, 401, 'unauthenticated'],
    ['another path', '/v1/streams', good, 404, 'not-found'],
    ['another subprotocol', '/v1/stream', { ...good, 'sec-websocket-protocol': 'chat' }, 400, 'invalid-request'],
  ])('with %s is answered in HTTP, with a problem', async (_what, path, headers, status, type) => {
    const answer = await upgrade(await start(), path, headers)
    expect(answer).toMatchObject({ status, type: 'application/problem+json', body: { type: `urn:microchat:problem:${type}` } })
    if (status === 401) expect(answer.challenge).toBe('Bearer')
  })

  it('is refused past the number of streams that a node takes', async () => {
    const node = await start({ maxStreams: 1 })
    await (await connect(node)).live()
    expect(await upgrade(node, '/v1/stream', { ...good, authorization: `Bearer ${tokenOf(alice)}` })).toMatchObject({ status: 503 })
  })

  it('takes the token as a subprotocol where headers cannot be set', async () => {
    const node = await start()
    const socket = new WebSocket(`${node.wsUrl}/v1/stream`, [STREAM_PROTOCOL, `bearer.${tokenOf(alice)}`])
    await new Promise((resolve, reject) => { socket.once('open', resolve); socket.once('error', reject) })
    expect(socket.protocol).toBe(STREAM_PROTOCOL)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.close()
    await closed
  })
})

describe('resume', () => {
  it('is optional: after a while the stream begins where the device had acknowledged', async () => {
    const group = await TestGroup.create(database.pool, alice)
    await group.say(3)
    const client = await connect(await start({ resumeGraceMs: 30 }), alice, { resume: 'none' })
    await client.live()
    expect(client.seqs(group)).toEqual([1, 2, 3])
  })

  it('may come late, over a slow network: what was sent meanwhile counts as acknowledged', async () => {
    const group = await TestGroup.create(database.pool, alice)
    await group.say(3)
    const node = await start({ resumeGraceMs: 0 })
    const client = await connect(node, alice, { resume: 'none' })
    await client.live()
    client.send({ t: 'resume', positions: [{ group_id: group.groupId, incarnation: 1, seq: 1_000 }] })
    client.send({ t: 'ping', n: 1 })
    await client.until('the pong', () => client.of('pong').length === 1)
    await node.acks.flush()
    expect(await group.acked(alice)).toEqual([3n])
  })
})

describe('what a client must not send', () => {
  it.each<[string, number, (client: StreamClient) => void]>([
    ['garbage', 4400, (client) => client.socket.send(Buffer.from('garbage'))],
    ['text', 4400, (client) => client.socket.send('{"t":"ping","n":1}')],
    ['a server\'s frame', 4400, (client) => client.socket.send(encodeFrame({ t: 'live' }))],
    ['a second resume', 4400, (client) => client.send({ t: 'resume', positions: [] })],
    ['more than 64 KiB at once', 1009, (client) => client.socket.send(Buffer.alloc(64 * 1024 + 1))],
    ['a token that is none', 4401, (client) => client.send({ t: 'token', access_token: 'nonsense' })],
    ['a token of another device', 4401, (client) => client.send({ t: 'token', access_token: tokenOf(999_999n) })],
  ])('%s: the stream ends with %i', async (_what, code, send) => {
    const client = await connect(await start())
    await client.live()
    send(client)
    expect(await client.code()).toBe(code)
  })

  it('an ack beyond what was delivered: 4400, and nothing is written', async () => {
    const node = await start({ maxUnacked: 5 })
    const group = await TestGroup.create(database.pool, alice)
    await group.say(10)
    const client = await connect(node)
    await client.untilSeq(group, 5)
    client.ack(group, 6)
    expect(await client.code()).toBe(4400)
    await node.acks.flush()
    expect(await group.acked(alice)).toEqual([0n])
  })
})

describe('one stream per device', () => {
  it('a second one displaces the first on the same node', async () => {
    const node = await start()
    const first = await connect(node)
    await first.live()
    const second = await connect(node)
    expect(await first.code()).toBe(4409)
    await second.live()
    expect(node.streams.size).toBe(1)
  })

  it('and on another node, by a hint', async () => {
    const hints = createHints()
    const [here, there] = [await start({}, hints), await start({}, hints)]
    const first = await connect(here)
    await first.live()
    const second = await connect(there)
    expect(await first.code()).toBe(4409)
    await second.live()
    expect([here.streams.size, there.streams.size]).toEqual([0, 1])
  })

  it('exactly one stays when two come at once on two nodes', async () => {
    const hints = createHints()
    const both = [await start({}, hints), await start({}, hints)]
    for (let round = 0; round < 5; round++) {
      const [one, two] = await Promise.all(both.map((node) => connect(node)))
      const displaced = await Promise.race([one!.code().then(() => one), two!.code().then(() => two)])
      expect(displaced?.closed?.code).toBe(4409)
      const stays = displaced === one ? two! : one!
      await stays.live()
      await stays.leave()
    }
  })
})

describe('the token of a stream', () => {
  it('runs out: told ahead, then 4401', async () => {
    const node = await start({ tokenWarningMs: 250 })
    const expiresAt = Date.now() + 500
    const client = await connect(node, alice, { token: tokenOf(alice, expiresAt) })
    await client.until('the warning', () => client.of('token-expiring').length === 1)
    expect(client.closed).toBeUndefined()
    expect(client.of('token-expiring')[0]?.expires_at).toBe(Math.floor(expiresAt / 1000))
    expect(await client.code()).toBe(4401)
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt - 5)
  })

  it('is renewed by another of the same device', async () => {
    const node = await start({ tokenWarningMs: 200 })
    const expiresAt = Date.now() + 400
    const client = await connect(node, alice, { token: tokenOf(alice, expiresAt) })
    await client.until('the warning', () => client.of('token-expiring').length === 1)
    client.send({ t: 'token', access_token: tokenOf(alice, expiresAt + 400) })
    await client.until('the next warning', () => client.of('token-expiring').length === 2)
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
    expect(client.closed).toBeUndefined()
  })
})

describe('a revoked device', () => {
  const revoke = () => database.pool.query('UPDATE device SET revoked_at = now() WHERE id = $1', [alice])

  it('is cut off at once by the hint', async () => {
    const node = await start()
    const client = await connect(node)
    await client.live()
    node.hints.publish([{ kind: 'revoked', deviceId: alice }])
    expect(await client.code()).toBe(4403)
  })

  it('is cut off by the sweep when the hint was lost', async () => {
    const node = await start()
    const client = await connect(node)
    await client.live()
    await revoke()
    await node.sweep.sweep()
    expect(await client.code()).toBe(4403)
  })

  it('is cut off when it was revoked between authentication and the first hint', async () => {
    await revoke()
    const group = await TestGroup.create(database.pool, alice)
    await group.say(1)
    const client = await connect(await start())
    expect(await client.code()).toBe(4403)
    expect(client.entries()).toEqual([])
  })
})

describe('a stream ends', () => {
  it('when the server drains: 1012 for everyone, spread, and acknowledgements are written', async () => {
    const node = await start({ drainMs: 300 })
    const devices = await Promise.all(Array.from({ length: 20 }, () => newDevice(database.pool)))
    const group = await TestGroup.create(database.pool, devices[0]!)
    await group.say(3)
    const all = await Promise.all(devices.map((device) => connect(node, device)))
    await Promise.all(all.map((client) => client.live()))
    all[0]!.ack(group, 2)
    all[0]!.send({ t: 'ping', n: 1 })
    await all[0]!.until('the pong', () => all[0]!.of('pong').length === 1)
    const times: number[] = []
    const ended = all.map(async (client) => { await client.code(); times.push(performance.now()) })
    await node.server.drain()
    await Promise.all(ended)
    expect(new Set(all.map((client) => client.closed?.code))).toEqual(new Set([1012]))
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(150)
    expect(await group.acked(devices[0]!)).toEqual([2n])
    expect(await upgrade(node, '/v1/stream', { 'sec-websocket-protocol': STREAM_PROTOCOL, authorization: `Bearer ${tokenOf(alice)}` })).toMatchObject({ status: 503 })
  })

  it('when the peer is dead: two pings without an answer', async () => {
    const node = await start({ heartbeatMs: 60 })
    const client = await connect(node, alice)
    await client.live()
    client.socket.pong = () => undefined
    client.socket.pause()
    await waitFor(() => node.streams.size === 0)
    client.socket.terminate()
  })

  it('not while it answers', async () => {
    const node = await start({ heartbeatMs: 40 })
    const client = await connect(node)
    let pings = 0
    client.socket.on('ping', () => (pings += 1))
    await waitFor(() => pings >= 6)
    expect(client.closed).toBeUndefined()
  })
})

async function waitFor(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 8_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('Waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
