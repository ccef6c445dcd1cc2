import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { pino } from 'pino'
import { EventsReader } from '../../src/delivery/polling/events-reader.js'
import { Acknowledgements } from '../../src/delivery/polling/acknowledgements.js'
import { Polling } from '../../src/delivery/polling/polling.js'
import { useTestDatabase } from '../support/database.js'
import { callerOf, newDevice, problemOf, seqsOf, startNode, TestGroup, type TestNode } from './delivery-node-fixture.js'
import { waitFor } from './stream-fixture.js'
import { StreamClient } from './stream-client.js'

const database = useTestDatabase()
const never = new AbortController().signal
let node: TestNode
let polling: Polling
let acknowledgements: Acknowledgements
let [alice, bob] = [0n, 0n]
let group: TestGroup

const poll = (deviceId: bigint, query: { wait?: number; limit?: number } = {}, gone = never) =>
  polling.events(callerOf(deviceId), query, gone)
const ack = (deviceId: bigint, seq: bigint, incarnation = 1, inbox: bigint[] = []) =>
  acknowledgements.acknowledge(callerOf(deviceId), { acks: [{ group_id: group.groupId, incarnation, seq }], inbox })

beforeAll(async () => {
  node = await startNode(database.pool)
  polling = new Polling(new EventsReader(database.pool, node.acks), node.interest, node.metrics, { maxStreams: 3 })
  acknowledgements = new Acknowledgements(database.pool, node.hints, node.metrics, pino({ level: 'silent' }))
})
afterAll(() => node.close())
beforeEach(async () => {
  ;[alice, bob] = [await newDevice(database.pool), await newDevice(database.pool)]
  group = await TestGroup.create(database.pool, alice)
})
afterEach(() => {
  expect(node.interest.gids()).toEqual([])
  expect(node.interest.deviceIds()).toEqual([])
  expect(node.metrics.now.pollers).toBe(0)
})

describe('polling', () => {
  it('gives what is unread, again and again until it is acknowledged, in pages', async () => {
    await group.say(5)
    expect(seqsOf(await poll(alice))).toEqual([1, 2, 3, 4, 5])
    const page = await poll(alice, { limit: 2 })
    expect([seqsOf(page), page.more]).toEqual([[1, 2], true])
    expect(await poll(alice, { limit: 5 })).toMatchObject({ more: false })
    expect(await ack(alice, 2n)).toEqual({ acks: 1, inbox: 0 })
    expect(await group.acked(alice)).toEqual([2n])
    const rest = await poll(alice, { limit: 3 })
    expect(seqsOf(rest)).toEqual([3, 4, 5])
    await ack(alice, 5n)
    expect(await poll(alice)).toEqual({ inbox: [], entries: [], more: false })
  })

  it('reads many groups in pages, none of them forgotten', async () => {
    const device = await newDevice(database.pool)
    const groups = await Promise.all(Array.from({ length: 20 }, () => TestGroup.create(database.pool, device)))
    for (const one of groups) await one.say(2)
    let found = 0
    for (let events = await poll(device); events.entries.length > 0; events = await poll(device)) {
      found += events.entries.length
      if (found < 40) expect(events.more).toBe(true)
      const acks = events.entries.map(({ group_id, incarnation, seq }) => ({ group_id, incarnation, seq }))
      await acknowledgements.acknowledge(callerOf(device), { acks, inbox: [] })
    }
    expect(found).toBe(40)
  })

  it('waits for news of a group, and of the inbox', async () => {
    const waiting = poll(alice, { wait: 30 })
    await watching()
    node.hints.publish([{ kind: 'group', gid: group.gid, headSeq: await group.say(1) }])
    expect(seqsOf(await waiting)).toEqual([1])
    const welcomed = poll(bob, { wait: 30 })
    await watching()
    await group.add(bob, 'welcome')
    node.hints.publish([{ kind: 'inbox', deviceId: bob }])
    expect((await welcomed).inbox).toMatchObject([{ kind: 'welcome', seq: 2n }])
  })

  it('is woken by the sweep when every hint was lost', async () => {
    const waiting = poll(alice, { wait: 30 })
    await watching()
    await group.say(1)
    await node.sweep.sweep()
    expect(seqsOf(await waiting)).toEqual([1])
  })

  it('misses nothing that is written while it begins to wait', async () => {
    for (let round = 1; round <= 20; round++) {
      const waiting = poll(alice, { wait: 30 })
      node.hints.publish([{ kind: 'group', gid: group.gid, headSeq: await group.say(1) }])
      expect(seqsOf(await waiting)).toEqual([round])
      await ack(alice, BigInt(round))
    }
  })

  it('ends empty-handed when its time is up, when the client goes, and when the device polls again', async () => {
    expect(seqsOf(await poll(alice, { wait: 0 }))).toEqual([])
    const gone = new AbortController()
    const left = poll(alice, { wait: 30 }, gone.signal)
    await watching()
    gone.abort()
    expect(seqsOf(await left)).toEqual([])
    const first = poll(alice, { wait: 30 })
    await watching()
    const second = poll(alice, { wait: 30 })
    expect(seqsOf(await first)).toEqual([])
    await group.say(1)
    await node.sweep.sweep()
    expect(seqsOf(await second)).toEqual([1])
  })

  it('is refused past the number that a node takes, and for a device that is revoked while it waits', async () => {
    const devices = await Promise.all([1, 2, 3, 4].map(() => newDevice(database.pool)))
    const gone = new AbortController()
    const waiting = devices.slice(0, 3).map((device) => poll(device, { wait: 30 }, gone.signal))
    await watching(3)
    expect(await problemOf(poll(devices[3]!))).toMatchObject({ status: 503 })
    node.hints.publish([{ kind: 'revoked', deviceId: devices[0]! }])
    expect(await problemOf(waiting[0]!)).toMatchObject({ status: 401 })
    gone.abort()
    await Promise.all(waiting.slice(1))
  })

  it("holds a group's entries back until its Welcome is acknowledged", async () => {
    await group.add(bob, 'welcome')
    await group.say(2)
    const held = await poll(bob)
    expect([seqsOf(held), held.inbox.length]).toEqual([[], 1])
    expect(await problemOf(ack(bob, 2n))).toMatchObject({ status: 409, type: 'ack-ahead' })
    expect(await acknowledgements.acknowledge(callerOf(bob), { acks: [], inbox: [held.inbox[0]!.id] })).toEqual({ acks: 0, inbox: 1 })
    expect(seqsOf(await poll(bob))).toEqual([2, 3])
  })

  it('gives a removed device what is its, and both of two intervals', async () => {
    await group.add(bob)
    await group.say(1)
    await group.remove(bob)
    await group.say(1)
    await group.add(bob)
    await group.say(1)
    expect(seqsOf(await poll(bob))).toEqual([2, 3, 6])
    await ack(bob, 6n)
    expect(await group.acked(bob)).toEqual([3n, 6n])
  })

  it('counts clients that acknowledge what the log has lost, and not those that are merely ahead of their Welcome', async () => {
    const counted = async () => (await node.metrics.entriesLost.get()).values[0]?.value ?? 0
    const before = await counted()
    await group.say(3)
    await group.add(bob, 'welcome')
    await problemOf(ack(bob, 4n))
    expect(await counted()).toBe(before)
    await problemOf(ack(alice, 9n))
    expect(await counted()).toBe(before + 1)
  })

  it('refuses an ack of what does not exist, and ignores those that are late', async () => {
    await group.say(3)
    expect(await problemOf(ack(alice, 4n))).toMatchObject({ status: 409, type: 'ack-ahead', extension: { deliverable: 3n } })
    expect(await ack(alice, 2n, 9)).toEqual({ acks: 0, inbox: 0 })
    expect(await ack(bob, 1n)).toEqual({ acks: 0, inbox: 0 })
    expect(await group.acked(alice)).toEqual([0n])
  })

  it("never acknowledges another device's inbox", async () => {
    await group.add(bob, 'welcome')
    const { inbox } = await poll(bob)
    expect(await acknowledgements.acknowledge(callerOf(alice), { acks: [], inbox: [inbox[0]!.id] })).toEqual({ acks: 0, inbox: 0 })
    expect((await poll(bob)).inbox).toHaveLength(1)
  })

  it('lets an open stream of the same device continue with the log when it acknowledges the Welcome', async () => {
    await group.add(bob, 'welcome')
    await group.say(1)
    const client = await StreamClient.connect(node.wsUrl, bob)
    await client.live()
    await acknowledgements.acknowledge(callerOf(bob), { acks: [], inbox: [BigInt(client.of('inbox')[0]!.id)] })
    await client.untilSeq(group, 2)
    await client.leave()
    await node.acks.flush()
  })
})

/** Waits until `count` polls have read and wait. */
function watching(count = 1): Promise<void> {
  const { waiters } = polling as unknown as { waiters: Map<bigint, { resolve?: unknown }> }
  return waitFor(() => [...waiters.values()].filter((waiter) => waiter.resolve).length >= count)
}
