import { beforeEach, describe, expect, it } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'
import { newDevice, TestGroup, type TestNode } from './delivery-node-fixture.js'
import { upTo, useStreamNodes } from './stream-fixture.js'
import type { StreamClient } from './stream-client.js'

const database = useTestDatabase()
let node: TestNode
const fixture = useStreamNodes(database)

beforeEach(async () => {
  node = await fixture.start()
})
const connect = (deviceId: bigint, options?: Parameters<typeof StreamClient.connect>[2]) => fixture.connect(node, deviceId, options)
const hint = (group: TestGroup, headSeq: bigint) => node.hints.publish([{ kind: 'group', gid: group.gid, headSeq }])

describe('the stream', () => {
  it('says hello, sends what is unread, then live, then what comes', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(100)
    const client = await connect(alice)
    await client.live()
    expect(client.frames[0]).toEqual({ t: 'hello', heartbeat: 25, max_unacked: 1024 })
    expect(client.seqs(group)).toEqual(upTo(100))
    hint(group, await group.say(3))
    await client.untilSeq(group, 103)
    expect(client.seqs(group)).toEqual(upTo(103))
    expect(client.entries(group)[0]).toMatchObject({ incarnation: 1, kind: 'application', epoch: 0 })
  })

  it('[I3] shows every entry once and in order while a writer never stops', async () => {
    const [alice, bob] = [await newDevice(database.pool), await newDevice(database.pool)]
    const group = await TestGroup.create(database.pool, alice)
    await group.add(bob)
    // Keeps the group's feed moving while the other one catches up with it.
    const companion = await connect(bob)
    companion.acknowledgeEverything()
    let writing = true
    let head = 0n
    const writer = (async () => {
      while (writing) hint(group, (head = await group.say(3)))
    })()
    try {
      for (let round = 0; round < 12; round++) {
        const before = head
        const client = await connect(alice)
        client.acknowledgeEverything()
        await client.live()
        await client.until('more than there was', () => (client.seqs(group).at(-1) ?? 0) >= Number(before) + 30)
        const seqs = client.seqs(group)
        expect(seqs).toEqual(upTo(Number(seqs.at(-1)), seqs[0]))
        if (round > 0) expect(seqs[0]).toBeGreaterThan(1)
        await client.leave()
      }
    } finally {
      writing = false
      await writer
    }
    const last = await connect(alice, { resume: { t: 'resume', positions: [{ group_id: group.groupId, incarnation: 1, seq: 0 }] } })
    last.acknowledgeEverything()
    await last.untilSeq(group, head)
    expect(last.seqs(group)).toEqual(upTo(Number(head)))
    await companion.untilSeq(group, head)
    expect(companion.seqs(group)).toEqual(upTo(Number(head), 2))
  })

  it('reads a group once for all sockets of the node', async () => {
    const devices = await Promise.all(Array.from({ length: 8 }, () => newDevice(database.pool)))
    const group = await TestGroup.create(database.pool, devices[0]!)
    await group.commit({ added: devices.slice(1).map((deviceId) => ({ deviceId, welcome: null })) })
    const all = await Promise.all(devices.map((device) => connect(device)))
    await Promise.all(all.map((client) => client.live()))
    const reads = countReads()
    const head = await group.say(5)
    for (let seq = 2n; seq <= head; seq++) hint(group, seq)
    await Promise.all(all.map((client) => client.untilSeq(group, head)))
    // One read for all eight, or two where the first was under way before the last hint.
    expect(reads.stop()).toBeLessThanOrEqual(2)
  })

  it('[I3] delivers without any hint once the sweep has come by', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    const client = await connect(alice)
    await client.live()
    await group.say(2)
    await node.sweep.sweep()
    await client.untilSeq(group, 2)
  })

  it('keeps order over several groups and a hint for each', async () => {
    const alice = await newDevice(database.pool)
    const groups = await Promise.all(upTo(20).map(() => TestGroup.create(database.pool, alice)))
    await Promise.all(groups.map((group) => group.say(70)))
    const client = await connect(alice)
    await client.until('the window is full', () => client.entries().length === 1_024)
    for (const group of groups) if (client.seqs(group).length > 0) client.ack(group, client.seqs(group).at(-1)!)
    await client.until('everything', () => client.entries().length === 1_400)
    for (const group of groups) expect(client.seqs(group)).toEqual(upTo(70))
    await client.live()
  })
})

/** Counts the feed's reads by what the pool is asked. */
function countReads() {
  const { pool } = database
  const query = pool.query.bind(pool)
  let reads = 0
  pool.query = ((...parameters: Parameters<typeof query>) => {
    const [first] = parameters as unknown as [{ name?: string }]
    if (first.name === 'read_group') reads += 1
    return query(...parameters)
  }) as typeof pool.query
  return {
    stop: () => {
      pool.query = query
      return reads
    },
  }
}
