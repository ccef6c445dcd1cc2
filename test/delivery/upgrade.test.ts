import { ACCESS_CHALLENGE } from '../../src/platform/http/problem.js'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { WebSocket } from 'ws'
import { STREAM_OPENINGS } from '../../src/delivery/socket/stream-limits.js'
import { encodeFrame, STREAM_PROTOCOL } from '../../src/protocol/frames.js'
import { useTestDatabase } from '../support/database.js'
import { newDevice, TestGroup, tokenOf } from './delivery-node-fixture.js'
import { useStreamNodes } from './stream-fixture.js'
import { upgrade } from './raw-upgrade.js'
import type { StreamClient } from './stream-client.js'

const database = useTestDatabase()
const { start, connect } = useStreamNodes(database)
let alice: bigint

beforeEach(async () => {
  alice = await newDevice(database.pool)
})

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
    if (status === 401) expect(answer.challenge).toBe(ACCESS_CHALLENGE)
  })

  it('is refused past the number of streams that a node takes', async () => {
    const node = await start({ maxStreams: 1 })
    await (await connect(node, alice)).live()
    expect(await upgrade(node, '/v1/stream', { ...good, authorization: `Bearer ${tokenOf(alice)}` })).toMatchObject({ status: 503 })
  })

  it('of a device that opens streams without end is refused with 429', async () => {
    const node = await start()
    const [device, other] = [await newDevice(database.pool), await newDevice(database.pool)]
    const headers = { ...good, authorization: `Bearer ${tokenOf(device)}` }
    for (let n = 0; n < STREAM_OPENINGS.value; n += 1) await connect(node, device)
    // On a slow machine the bucket has filled up a little.
    let answer: Awaited<ReturnType<typeof upgrade>> | undefined
    for (let n = 0; n < STREAM_OPENINGS.value && !answer; n += 1) answer = await upgrade(node, '/v1/stream', headers).catch(() => undefined)
    expect(answer).toMatchObject({ status: 429 })
    expect((await node.metrics.limitsRefused.get()).values).toMatchObject([{ labels: { limit: STREAM_OPENINGS.name } }])
    await (await connect(node, other)).live()
  })

  it('is refused while the process is overloaded, before its token is looked at', async () => {
    const node = await start({ pressure: { refuses: (priority) => priority === 'read' } })
    expect(await upgrade(node, '/v1/stream', { ...good, authorization: 'Bearer nonsense' })).toMatchObject({ status: 503 })
    expect((await node.metrics.limitsRefused.get()).values).toMatchObject([{ labels: { limit: 'pressure-read' } }])
  })

  it('takes the token as a subprotocol where headers cannot be set', async () => {
    const node = await start()
    const socket = new WebSocket(`${node.wsUrl}/v1/stream`, [STREAM_PROTOCOL, `bearer.${tokenOf(alice)}`])
    await new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
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

  it('may come late, over a slow network: what was sent in between counts as acknowledged', async () => {
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
    ["a server's frame", 4400, (client) => client.socket.send(encodeFrame({ t: 'live' }))],
    ['a second resume', 4400, (client) => client.send({ t: 'resume', positions: [] })],
    ['more than 64 KiB at once', 1009, (client) => client.socket.send(Buffer.alloc(64 * 1024 + 1))],
    ['a token that is none', 4401, (client) => client.send({ t: 'token', access_token: 'nonsense' })],
    ['a token of another device', 4401, (client) => client.send({ t: 'token', access_token: tokenOf(999_999n) })],
  ])('%s: the stream ends with %i', async (_what, code, send) => {
    const client = await connect(await start(), alice)
    await client.live()
    send(client)
    expect(await client.code()).toBe(code)
  })

  it('an ack beyond what was delivered: 4400, and nothing is written', async () => {
    const node = await start({ maxUnacked: 5 })
    const group = await TestGroup.create(database.pool, alice)
    await group.say(10)
    const client = await connect(node, alice)
    await client.untilSeq(group, 5)
    client.ack(group, 6)
    expect(await client.code()).toBe(4400)
    await node.acks.flush()
    expect(await group.acked(alice)).toEqual([0n])
  })
})
