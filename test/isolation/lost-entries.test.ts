import { describe, expect, it } from '@jest/globals'
import { History } from '../../src/delivery/read/history.service.js'
import { callerOf, newDevice, problemOf, TestGroup } from '../delivery/delivery-node-fixture.js'
import { useStreamNodes } from '../delivery/stream-fixture.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()
const { start, connect } = useStreamNodes(database)

/** A backup that ends at `seq` was restored, or a replica took over that had got so far; nobody has run `recovered`. */
async function loseAfter(group: TestGroup, seq: number): Promise<void> {
  await database.pool.query('DELETE FROM log WHERE gid = $1 AND seq > $2', [group.gid, seq])
  await database.pool.query('UPDATE groups SET head_seq = $2 WHERE gid = $1', [group.gid, seq])
  await database.pool.query('UPDATE member SET acked = least(acked, $2) WHERE gid = $1', [group.gid, seq])
}

describe('a device that has entries which the log has lost', () => {
  it('gets a resync when it resumes, and then what is there', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(8)
    await loseAfter(group, 2)
    const node = await start()
    const client = await connect(node, alice, {
      resume: { t: 'resume', positions: [{ group_id: group.groupId, incarnation: 1, seq: 8 }] },
    })
    await client.live()
    expect(client.of('resync')).toMatchObject([{ incarnation: 1 }])
    expect(client.seqs(group)).toEqual([1, 2])
    expect((await node.metrics.entriesLost.get()).values).toMatchObject([{ value: 1 }])
  })

  it('gets it on its open stream by the sweep, once, and then what is written from then on', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(8)
    const node = await start()
    const client = await connect(node, alice)
    await client.live()
    client.ack(group, 8)
    await node.sweep.sweep()
    await loseAfter(group, 2)
    await node.sweep.sweep()
    await client.until('resync', () => client.of('resync').length === 1)
    await group.say(1)
    await node.sweep.sweep()
    await client.until('the new entry', () => client.seqs(group).at(-1) === 3)
    await node.sweep.sweep()
    await node.sweep.sweep()
    client.ack(group, 3)
    client.send({ t: 'ping', n: 1 })
    await client.until('an answer', () => client.of('pong').length === 1)
    expect(client.of('resync')).toHaveLength(1)
    await node.acks.flush()
    expect(await group.acked(alice)).toEqual([3n])
  })

  it('is refused the log after them with resync', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    await group.say(2)
    const history = new History(database.pool)
    const read = (from_seq: bigint) => history.read(callerOf(alice), group.groupId, { from_seq })
    expect((await read(3n)).entries).toEqual([])
    expect(await problemOf(read(4n))).toMatchObject({ status: 409, extension: { from_seq: 3n } })
    await database.pool.query(
      `INSERT INTO followed_group (group_id, hub, room_id, gid) VALUES ($1, 'hub.example', 'mimi://hub.example/r/r', $2)`,
      [group.groupId, group.gid],
    )
    expect((await read(4n)).entries).toEqual([])
  })
})

describe('a device that has everything', () => {
  it('is never told to resync, however old the head is that a sweep tells', async () => {
    const alice = await newDevice(database.pool)
    const group = await TestGroup.create(database.pool, alice)
    const node = await start()
    const client = await connect(node, alice)
    await client.live()
    for (let round = 1; round <= 5; round++) {
      const head = await group.say(2)
      node.hints.publish([{ kind: 'group', gid: group.gid, headSeq: head }])
      await client.untilSeq(group, head)
      // As a sweep that read the head before these entries came, and tells it after.
      node.interest.notifyGroup(group.gid, { headSeq: head - 2n, incarnation: 1 })
    }
    client.send({ t: 'ping', n: 1 })
    await client.until('an answer', () => client.of('pong').length === 1)
    expect(client.of('resync')).toEqual([])
  })
})
