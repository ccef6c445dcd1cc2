import { describe, expect, it } from '@jest/globals'
import { writeAcks } from '../../src/delivery/acks/acks.repository.js'
import { transaction } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'
import { newDevice, TestGroup } from './delivery-node-fixture.js'
import { upTo, useStreamNodes, waitFor } from './stream-fixture.js'

const database = useTestDatabase()
const { start, connect } = useStreamNodes(database)

describe('a stream that acknowledges nothing', () => {
  it('gets as many entries as its window holds, in backfill and live, and continues when it acknowledges', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(6)
    const node = await start({ maxUnacked: 10 })
    const client = await connect(node, alice)
    await client.live()
    node.hints.publish([{ kind: 'group', gid: group.gid, headSeq: await group.say(20) }])
    await client.untilSeq(group, 10)
    client.send({ t: 'ping', n: 1 })
    await client.until('the pong', () => client.of('pong').length === 1)
    expect(client.seqs(group)).toEqual(upTo(10))
    client.ack(group, 10)
    await client.untilSeq(group, 20)
    expect(client.seqs(group)).toEqual(upTo(20))
    client.acknowledgeEverything()
    client.ack(group, 20)
    await client.untilSeq(group, 26)
    expect(client.seqs(group)).toEqual(upTo(26))
    node.hints.publish([{ kind: 'group', gid: group.gid, headSeq: await group.say(1) }])
    await client.untilSeq(group, 27)
  })

  it('is closed after a while with 4408 if something waits for it', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(11)
    const client = await connect(await start({ maxUnacked: 10, ackTimeoutMs: 200 }), alice)
    expect(await client.code()).toBe(4408)
    expect(client.seqs(group)).toEqual(upTo(10))
  })

  it('is left alone if nothing waits for it', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(10)
    const client = await connect(await start({ maxUnacked: 10, ackTimeoutMs: 50, heartbeatMs: 100 }), alice)
    await client.live()
    let pings = 0
    client.socket.on('ping', () => (pings += 1))
    await new Promise<void>((resolve) =>
      client.socket.on('ping', () => {
        if (pings >= 2) resolve()
      }),
    )
    expect(client.closed).toBeUndefined()
  })
})

describe('a stream that does not read', () => {
  it('holds a bounded queue, falls back to its cursor, and misses nothing when it reads again', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    const node = await start({ socketBytes: 64 * 1024, ackTimeoutMs: 60_000, maxUnacked: 100_000 })
    const client = await connect(node, alice)
    await client.live()
    client.socket.pause()
    let head = 0n
    let most = 0
    for (let round = 0; round < 60; round++) {
      head = await group.say(4, 0n, 100_000)
      node.hints.publish([{ kind: 'group', gid: group.gid, headSeq: head }])
      await new Promise((resolve) => setImmediate(resolve))
      most = Math.max(most, node.metrics.now.queuedBytes)
    }
    // 24 MB were sent its way; what the kernel does not take is bounded by the queue, a page and what is ahead of it.
    expect(most).toBeLessThan(1_500_000)
    client.socket.resume()
    await client.untilSeq(group, head)
    expect(client.seqs(group)).toEqual(upTo(Number(head)))
    expect(node.metrics.now.queuedBytes).toBe(0)
  })

  it("holds others up no longer than the node's budget is full, and everyone gets everything", async () => {
    const devices = await Promise.all(Array.from({ length: 4 }, () => newDevice(database.pool)))
    const group = await TestGroup.create(database.pool, devices[0]!)
    await group.commit({ added: devices.slice(1).map((deviceId) => ({ deviceId, welcome: null })) })
    const node = await start({ nodeBytes: 300_000, maxUnacked: 100_000 })
    const all = await Promise.all(devices.map((device) => connect(node, device)))
    await Promise.all(all.map((client) => client.live()))
    let head = 0n
    for (let round = 0; round < 20; round++) {
      head = await group.say(4, 1n, 100_000)
      node.hints.publish([{ kind: 'group', gid: group.gid, headSeq: head }])
    }
    await Promise.all(all.map((client) => client.untilSeq(group, head)))
    for (const client of all.slice(1)) expect(client.seqs(group)).toEqual(upTo(Number(head)).slice(1))
    expect(node.metrics.now.queuedBytes).toBe(0)
  })
})

describe('acknowledgements', () => {
  it('are written when a device disconnects, and the next stream continues from there', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(10)
    const node = await start({})
    const first = await connect(node, alice)
    await first.live()
    first.ack(group, 3)
    first.ack(group, 7)
    first.ack(group, 5) // cumulative: going back is nothing
    await first.leave()
    const elsewhere = await start({})
    await waitFor(async () => (await group.acked(alice))[0] === 7n)
    const second = await connect(elsewhere, alice)
    await second.live()
    expect(second.seqs(group)).toEqual([8, 9, 10])
  })

  it('are not written one by one', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(50)
    const node = await start({})
    const client = await connect(node, alice)
    await client.live()
    for (let seq = 1; seq <= 50; seq++) client.ack(group, seq)
    client.send({ t: 'ping', n: 1 })
    await client.until('the pong', () => client.of('pong').length === 1)
    expect(await group.acked(alice)).toEqual([0n])
    expect(node.acks.book.size).toBe(1)
    await node.acks.flush()
    expect(await group.acked(alice)).toEqual([50n])
    expect(node.acks.book.size).toBe(0)
  })

  it('never move a cursor back, nor past the end of an interval, nor in another incarnation', async () => {
    const [alice, bob] = [await newDevice(database.pool), await newDevice(database.pool)]
    const group = await TestGroup.create(database.pool, alice)
    await group.add(bob)
    const removed = await group.remove(bob)
    await group.say(5)
    const node = await start({})
    node.acks.record({ deviceId: alice, gid: group.gid, incarnation: 1, seq: 6n })
    node.acks.record({ deviceId: bob, gid: group.gid, incarnation: 1, seq: 7n })
    await node.acks.flush()
    expect([await group.acked(alice), await group.acked(bob)]).toEqual([[6n], [removed]])
    node.acks.record({ deviceId: alice, gid: group.gid, incarnation: 1, seq: 2n })
    await node.acks.flush()
    node.acks.record({ deviceId: alice, gid: group.gid, incarnation: 2, seq: 7n })
    await node.acks.flush()
    node.acks.record({ deviceId: alice, gid: group.gid, incarnation: 1, seq: 1_000n })
    await node.acks.flush()
    expect(await group.acked(alice)).toEqual([6n])
  })

  it('do not wait for the disk, unless they are the only copy', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(1)
    const modes: string[] = []
    for (const durable of [false, true]) {
      await transaction(database.pool, async (sql) => {
        await writeAcks(sql, [{ deviceId: alice, gid: group.gid, incarnation: 1, seq: 1n }], durable)
        const { rows } = await sql.query<{ synchronous_commit: string }>('SHOW synchronous_commit')
        modes.push(rows[0]!.synchronous_commit)
      })
    }
    expect(modes).toEqual(['off', 'on'])
  })

  it('of many nodes at once do not deadlock', async () => {
    const devices = await Promise.all(Array.from({ length: 30 }, () => newDevice(database.pool)))
    const groups = await Promise.all(Array.from({ length: 5 }, () => TestGroup.create(database.pool, devices[0]!)))
    for (const group of groups) {
      await group.commit({ added: devices.slice(1).map((deviceId) => ({ deviceId, welcome: null })) })
      await group.say(40)
    }
    const all = await Promise.all(Array.from({ length: 4 }, () => start({})))
    for (let seq = 2n; seq <= 41n; seq++) {
      for (const [index, node] of all.entries()) {
        const mixed = index % 2 ? [...devices].reverse() : devices
        for (const group of groups) for (const deviceId of mixed) node.acks.record({ deviceId, gid: group.gid, incarnation: 1, seq })
      }
      await Promise.all(all.map((node) => node.acks.flush()))
      expect(all.map((node) => node.acks.book.size)).toEqual([0, 0, 0, 0])
    }
    for (const group of groups) expect(await group.acked(devices[3]!)).toEqual([41n])
  })
})
