import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { Stream } from '../../src/delivery/stream/stream.js'
import { STREAM_PROTOCOL } from '../../src/protocol/frames.js'
import { useTestDatabase } from '../support/database.js'
import { createHints, newDevice, TestGroup, tokenOf } from './delivery-node-fixture.js'
import { useStreamNodes, waitFor } from './stream-fixture.js'
import { upgrade } from './raw-upgrade.js'

const database = useTestDatabase()
const { start, connect } = useStreamNodes(database)
let alice: bigint

beforeEach(async () => {
  alice = await newDevice(database.pool)
})

afterEach(() => void jest.restoreAllMocks())

/** In how many turns of the event loop the server has closed streams, of which two are enough. The clock stands still. */
function turnsOfClosing(): () => number {
  const closing = jest.spyOn(Stream.prototype, 'close')
  let [turns, seen] = [0, 0]
  setImmediate(function count() {
    if (closing.mock.calls.length > seen) turns++
    seen = closing.mock.calls.length
    if (turns < 2) setImmediate(count)
  })
  jest.spyOn(performance, 'now').mockReturnValue(performance.now())
  return () => turns
}

describe('one stream per device', () => {
  it('a second one displaces the first on the same node', async () => {
    const node = await start()
    const first = await connect(node, alice)
    await first.live()
    const second = await connect(node, alice)
    expect(await first.code()).toBe(4409)
    await second.live()
    expect(node.streams.size).toBe(1)
  })

  it('and on another node, by a hint', async () => {
    const hints = createHints()
    const [here, there] = [await start({}, hints), await start({}, hints)]
    const first = await connect(here, alice)
    await first.live()
    const second = await connect(there, alice)
    expect(await first.code()).toBe(4409)
    await second.live()
    expect([here.streams.size, there.streams.size]).toEqual([0, 1])
  })

  it('exactly one stays when two come at once on two nodes', async () => {
    const hints = createHints()
    const both = [await start({}, hints), await start({}, hints)]
    for (let round = 0; round < 5; round++) {
      const [one, two] = await Promise.all(both.map((node) => connect(node, alice)))
      const displaced = await Promise.race([one!.code().then(() => one), two!.code().then(() => two)])
      expect(displaced?.closed?.code).toBe(4409)
      const stays = displaced === one ? two! : one!
      await stays.live()
      await stays.leave()
    }
  })
})

describe('the token of a stream', () => {
  it('runs out: a warning ahead, then 4401', async () => {
    const node = await start({ tokenWarningMs: 1_500 })
    const expiresAt = Date.now() + 2_000
    const client = await connect(node, alice, { token: tokenOf(alice, expiresAt) })
    await client.until('the warning', () => client.of('token-expiring').length === 1)
    expect(client.of('token-expiring')[0]?.expires_at).toBe(Math.floor(expiresAt / 1000))
    expect(await client.code()).toBe(4401)
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt - 5)
  })

  it('is renewed by another of the same device', async () => {
    const node = await start({ tokenWarningMs: 1_500 })
    const expiresAt = Date.now() + 2_000
    const client = await connect(node, alice, { token: tokenOf(alice, expiresAt) })
    await client.until('the warning', () => client.of('token-expiring').length === 1)
    client.send({ t: 'token', access_token: tokenOf(alice, expiresAt + 2_000) })
    await client.until('the next warning', () => client.of('token-expiring').length === 2)
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
  })
})

describe('a device that logged out', () => {
  const endSessions = () => database.pool.query('UPDATE device SET session_generation = session_generation + 1 WHERE id = $1', [alice])

  it('is cut off by the sweep when the hint was lost', async () => {
    const node = await start()
    const client = await connect(node, alice)
    await client.live()
    await node.sweep.sweep()
    expect(client.closed).toBeUndefined()
    await endSessions()
    await node.sweep.sweep()
    expect(await client.code()).toBe(4401)
  })

  it('and in again keeps its new stream, whatever an older sweep has read', async () => {
    const node = await start()
    const client = await connect(node, alice)
    await client.live()
    node.interest.notifyDevice(alice, { kind: 'swept', inboxIds: [], generation: -1 })
    client.send({ t: 'ping', n: 1 })
    await client.until('an answer', () => client.of('pong').length === 1)
    expect(client.closed).toBeUndefined()
  })

  it('is cut off when it logged out between authentication and the first hint', async () => {
    await endSessions()
    const client = await connect(await start(), alice)
    expect(await client.code()).toBe(4401)
  })
})

describe('a revoked device', () => {
  const revoke = () => database.pool.query('UPDATE device SET revoked_at = now() WHERE id = $1', [alice])

  it('is cut off at once by the hint', async () => {
    const node = await start()
    const client = await connect(node, alice)
    await client.live()
    node.hints.publish([{ kind: 'revoked', deviceId: alice }])
    expect(await client.code()).toBe(4403)
  })

  it('is cut off by the sweep when the hint was lost', async () => {
    const node = await start()
    const client = await connect(node, alice)
    await client.live()
    await revoke()
    await node.sweep.sweep()
    expect(await client.code()).toBe(4403)
  })

  it('is cut off when it was revoked between authentication and the first hint', async () => {
    await revoke()
    const group = await TestGroup.create(database.pool, alice)
    await group.say(1)
    const client = await connect(await start(), alice)
    expect(await client.code()).toBe(4403)
    expect(client.entries()).toEqual([])
  })
})

describe('a stream ends', () => {
  it('when the server drains: 1012 for everyone, spread, and acknowledgements are written', async () => {
    const node = await start()
    const devices = await Promise.all(Array.from({ length: 20 }, () => newDevice(database.pool)))
    const group = await TestGroup.create(database.pool, devices[0]!)
    await group.say(3)
    const all = await Promise.all(devices.map((device) => connect(node, device)))
    await Promise.all(all.map((client) => client.live()))
    await group.commit({ added: devices.slice(1).map((deviceId) => ({ deviceId, welcome: null })) })
    // The last to be closed: what it acknowledged is the last to be written.
    const [last, device] = [all.at(-1)!, devices.at(-1)!]
    const head = await group.say(1)
    node.hints.publish([
      { kind: 'inbox', deviceId: device },
      { kind: 'group', gid: group.gid, headSeq: head },
    ])
    await last.untilSeq(group, head)
    last.ack(group, head)
    last.send({ t: 'ping', n: 1 })
    await last.until('the pong', () => last.of('pong').length === 1)
    const ended = all.map((client) => client.code())
    const turns = turnsOfClosing()
    const lock = await database.pool.connect()
    await lock.query('BEGIN')
    await lock.query('SELECT FROM member WHERE device_id = $1 FOR UPDATE', [device])
    const draining = node.server.drain().then(() => 'drained')
    await Promise.all(ended)
    // What was acknowledged cannot be written yet, so the drain is not over, however long one looks.
    const look = new Promise((resolve) => setTimeout(() => resolve('writing'), 100))
    expect(await Promise.race([draining, look])).toBe('writing')
    await lock.query('COMMIT')
    lock.release()
    await draining
    expect(await group.acked(device)).toEqual([head])
    expect(new Set(all.map((client) => client.closed?.code))).toEqual(new Set([1012]))
    expect(turns()).toBe(2)
    expect(
      await upgrade(node, '/v1/stream', { 'sec-websocket-protocol': STREAM_PROTOCOL, authorization: `Bearer ${tokenOf(alice)}` }),
    ).toMatchObject({ status: 503 })
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
    const client = await connect(node, alice)
    let pings = 0
    client.socket.on('ping', () => (pings += 1))
    await waitFor(() => pings >= 6)
    expect(client.closed).toBeUndefined()
  })
})
