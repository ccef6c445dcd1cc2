import { beforeEach, describe, expect, it } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'
import { deleteGroup } from '../../src/groups/repository/groups.repository.js'
import { newDevice, TestGroup, type TestNode } from './delivery-node-fixture.js'
import { upTo, useStreamNodes } from './stream-fixture.js'
import type { StreamClient } from './stream-client.js'

const database = useTestDatabase()
let node: TestNode
let alice: bigint
let bob: bigint
let group: TestGroup
const fixture = useStreamNodes(database)

beforeEach(async () => {
  node = await fixture.start()
  ;[alice, bob] = [await newDevice(database.pool), await newDevice(database.pool)]
  group = await TestGroup.create(database.pool, alice)
})
const connect = (deviceId: bigint, options?: Parameters<typeof StreamClient.connect>[2]) => fixture.connect(node, deviceId, options)
const hintGroup = (headSeq: bigint) => node.hints.publish([{ kind: 'group', gid: group.gid, headSeq }])
const hintInbox = (deviceId: bigint) => node.hints.publish([{ kind: 'inbox', deviceId }])
const order = (client: StreamClient) =>
  client.frames.flatMap((frame): (number | string)[] =>
    frame.t === 'entries' ? frame.entries.map((entry) => entry.seq) : frame.t === 'hello' || frame.t === 'live' ? [] : [frame.t],
  )

describe('[I4] a Welcome comes before its log', () => {
  it('on a stream that connects after it: the inbox first, the log once the Welcome is acknowledged', async () => {
    const joined = await group.add(bob, 'welcome')
    await group.say(3)
    const client = await connect(bob)
    await client.live()
    const [welcome] = client.of('inbox')
    expect(welcome).toMatchObject({ kind: 'welcome', seq: Number(joined), epoch: 1, incarnation: 1 })
    expect(welcome?.kind === 'welcome' && Buffer.from(welcome.welcome).toString()).toBe(`welcome ${bob}`)
    expect(client.entries()).toEqual([])
    client.send({ t: 'inbox-ack', ids: [welcome!.id] })
    await client.untilSeq(group, 4)
    expect(client.seqs(group)).toEqual(upTo(4, 2))
    expect((await database.pool.query('SELECT FROM inbox WHERE device_id = $1', [bob])).rowCount).toBe(0)
  })

  it('on a stream that is open, with a hint', async () => {
    const client = await connect(bob)
    await client.live()
    await group.add(bob, 'welcome')
    hintInbox(bob)
    await client.until('the Welcome', () => client.of('inbox').length === 1)
    hintGroup(await group.say(2))
    client.send({ t: 'inbox-ack', ids: [client.of('inbox')[0]!.id] })
    await client.untilSeq(group, 3)
    expect(order(client)).toEqual(['inbox', 2, 3])
  })

  it('on a stream that is open, without any hint, by the sweep alone', async () => {
    const client = await connect(bob)
    await client.live()
    await group.add(bob, 'welcome')
    await node.sweep.sweep()
    await client.until('the Welcome', () => client.of('inbox').length === 1)
    // Acknowledged elsewhere, as a poll of the same device would.
    await node.sweep.sweep()
    await database.pool.query('DELETE FROM inbox WHERE device_id = $1', [bob])
    const head = await group.say(1)
    await node.sweep.sweep()
    await client.untilSeq(group, head)
  })

  it('is sent again to a stream that comes back without having acknowledged it', async () => {
    await group.add(bob, 'welcome')
    const first = await connect(bob)
    await first.until('the Welcome', () => first.of('inbox').length === 1)
    await first.leave()
    const second = await connect(bob)
    await second.live()
    expect(second.of('inbox')).toEqual(first.of('inbox'))
  })
})

describe('intervals', () => {
  it('gives a device that joins what follows its Commit, and no application entry of an older epoch', async () => {
    await group.say(2)
    await group.add(bob)
    await group.say(1, 0n) // a late message of the epoch before
    await group.say(1)
    const client = await connect(bob)
    await client.live()
    expect(client.seqs(group)).toEqual([5])
    hintGroup(await group.say(1, 0n))
    hintGroup(await group.say(1))
    await client.untilSeq(group, 7)
    expect(client.seqs(group)).toEqual([5, 7])
  })

  it('gives a removed device the Commit that removes it and nothing after, whether connected or not', async () => {
    await group.add(bob)
    const online = await connect(bob)
    await online.live()
    await group.say(2)
    const removed = await group.remove(bob)
    await group.say(2)
    hintGroup(removed + 2n)
    await online.until('the removal', () => online.of('removed').length === 1)
    expect(order(online)).toEqual([2, 3, Number(removed), 'removed'])
    expect(online.of('removed')[0]).toMatchObject({ seq: Number(removed) })
    hintGroup(await group.say(1))
    await node.sweep.sweep()
    online.send({ t: 'ping', n: 1 })
    await online.until('the pong', () => online.of('pong').length === 1)
    expect(online.seqs(group).at(-1)).toBe(Number(removed))
    await online.leave()
    const again = await connect(bob)
    await again.live()
    expect(order(again)).toEqual([2, 3, Number(removed), 'removed'])
    again.ack(group, removed)
    await again.leave()
    const done = await connect(bob)
    await done.live()
    expect(order(done)).toEqual([])
  })

  it('never shows a removed device what follows, though it reads in pages while it is being removed', async () => {
    await group.add(bob)
    await group.say(120)
    await group.say(100)
    const client = await connect(bob)
    const removed = await group.remove(bob)
    // It may have read all there was before the removal.
    hintGroup(await group.say(120))
    await client.until('the removal', () => client.of('removed').length === 1)
    expect(client.seqs(group)).toEqual(upTo(Number(removed), 2))
  })

  it('reads two intervals in order, with the removal between them', async () => {
    await group.add(bob)
    const removed = await group.remove(bob)
    await group.say(3)
    const again = await group.add(bob)
    await group.say(2)
    const client = await connect(bob)
    await client.live()
    expect(order(client)).toEqual([Number(removed), 'removed', Number(again) + 1, Number(again) + 2])
    client.ack(group, again + 2n)
    await client.leave()
    await node.acks.flush()
    expect(await group.acked(bob)).toEqual([removed, again + 2n])
  })

  it('says nothing of a removal when a device resyncs its own leaf, and continues in the new interval', async () => {
    await group.add(bob)
    const client = await connect(bob)
    await client.live()
    const resync = await group.commit({
      deviceId: bob,
      external: true,
      added: [{ deviceId: bob, welcome: null }],
      removed: [{ deviceId: bob, reason: 'resync' }],
    })
    hintGroup(resync)
    hintGroup(await group.say(1))
    await client.untilSeq(group, resync + 1n)
    expect(order(client)).toEqual([Number(resync), Number(resync) + 1])
  })

  it('follows a deletion: the inbox tells, nothing else comes', async () => {
    await group.add(bob)
    const client = await connect(bob)
    await client.live()
    await deleteGroup(database.pool, 'localhost', group.gid)
    hintInbox(bob)
    await client.until('the news', () => client.of('inbox').length === 1)
    expect(client.of('inbox')[0]).toMatchObject({ kind: 'group.deleted', incarnation: 1 })
    client.ack(group, 1)
    client.send({ t: 'ping', n: 7 })
    await client.until('the pong', () => client.of('pong').length === 1)
  })
})

describe('positions', () => {
  const at = (seq: number, incarnation = 1) => ({
    resume: { t: 'resume' as const, positions: [{ group_id: group.groupId, incarnation, seq }] },
  })

  it('resume where the client stands, and count as acknowledged', async () => {
    await group.say(10)
    const client = await connect(alice, at(7))
    await client.live()
    expect(client.seqs(group)).toEqual([8, 9, 10])
    await client.leave()
    await node.acks.flush()
    expect(await group.acked(alice)).toEqual([7n])
  })

  it('are clamped to the intervals of the device', async () => {
    await group.say(4)
    await group.add(bob)
    await group.say(3)
    const before = await connect(bob, at(0))
    await before.live()
    expect(before.seqs(group)).toEqual([6, 7, 8])
  })

  it('may lie before what was acknowledged: a client that lost something gets it again', async () => {
    await group.say(5)
    const first = await connect(alice)
    await first.live()
    first.ack(group, 5)
    await first.leave()
    const second = await connect(alice, at(3))
    await second.live()
    expect(second.seqs(group)).toEqual([4, 5])
  })

  it('of another incarnation get resync, and the stored cursor counts', async () => {
    await group.say(5)
    await database.pool.query('UPDATE groups SET incarnation = 2 WHERE gid = $1', [group.gid])
    await database.pool.query('UPDATE member SET acked = 2 WHERE gid = $1', [group.gid])
    const client = await connect(alice, at(4))
    await client.live()
    expect(order(client)).toEqual(['resync', 3, 4, 5])
    expect(client.of('resync')[0]).toMatchObject({ incarnation: 2 })
    client.ack(group, 5, 1) // of the old incarnation: of no consequence
    await client.leave()
    await node.acks.flush()
    expect(await group.acked(alice)).toEqual([2n])
  })

  it('follow a change of incarnation while connected', async () => {
    const client = await connect(alice)
    await client.live()
    await database.pool.query('UPDATE groups SET incarnation = 2 WHERE gid = $1', [group.gid])
    await group.say(1)
    await node.sweep.sweep()
    await client.untilSeq(group, 1)
    expect(order(client)).toEqual(['resync', 1])
    expect(client.entries(group)[0]?.incarnation).toBe(2)
  })
})
