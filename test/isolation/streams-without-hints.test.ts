import { beforeEach, describe, expect, it } from '@jest/globals'
import { acknowledgeInbox } from '../../src/delivery/inbox/inbox.repository.js'
import { EventsReader } from '../../src/delivery/polling/events-reader.js'
import { Polling } from '../../src/delivery/polling/polling.js'
import { deleteGroup } from '../../src/groups/repository/groups.repository.js'
import { callerOf, newDevice, seqsOf, TestGroup, type TestNode } from '../delivery/delivery-node-fixture.js'
import { useStreamNodes, waitFor } from '../delivery/stream-fixture.js'
import type { StreamClient } from '../delivery/stream-client.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()
const { start, connect } = useStreamNodes(database)
let node: TestNode
let [alice, bob] = [0n, 0n]
let client: StreamClient

/** No hint reaches Alice's node: whatever happens, happens in the database alone. */
beforeEach(async () => {
  node = await start()
  ;[alice, bob] = [await newDevice(database.pool), await newDevice(database.pool)]
  client = await connect(node, alice)
  await client.live()
  // What the first sweep tells beyond what is new is not what these tests are about.
  await node.sweep.sweep()
})

describe('without any hint, one sweep brings an open stream', () => {
  it('the group that its device created', async () => {
    const group = await TestGroup.create(database.pool, alice)
    const head = await group.say(2)
    await node.sweep.sweep()
    await client.untilSeq(group, head)
    expect(client.seqs(group)).toEqual([1, 2])
  })

  it('the group that its device joined without a Welcome, and joined again', async () => {
    const group = await TestGroup.create(database.pool, bob)
    await group.add(alice)
    const first = await group.say(1)
    await node.sweep.sweep()
    await client.untilSeq(group, first)
    const removal = await group.remove(alice)
    await node.sweep.sweep()
    await client.until('the removal', () => client.of('removed').length === 1)
    await group.say(1)
    await group.add(alice)
    const last = await group.say(1)
    await node.sweep.sweep()
    await client.untilSeq(group, last)
    expect(client.seqs(group)).toEqual([first, removal, last].map(Number))
  })

  it('a Welcome, and its log once the Welcome is acknowledged, also elsewhere', async () => {
    const group = await TestGroup.create(database.pool, bob)
    await group.add(alice, 'welcome')
    const head = await group.say(1)
    await node.sweep.sweep()
    await client.until('the Welcome', () => client.of('inbox').length === 1)
    await node.sweep.sweep()
    await acknowledgeInbox(database.pool, alice, [BigInt(client.of('inbox')[0]!.id)])
    await node.sweep.sweep()
    await client.untilSeq(group, head)
  })

  it('the log of a Welcome that is acknowledged elsewhere while it is on its way here', async () => {
    const group = await TestGroup.create(database.pool, bob)
    await group.add(alice, 'welcome')
    const head = await group.say(1)
    // The hint comes, and the acknowledgement is over before any sweep has seen the Welcome.
    node.hints.publish([{ kind: 'inbox', deviceId: alice }])
    await client.until('the Welcome', () => client.of('inbox').length === 1)
    await acknowledgeInbox(database.pool, alice, [BigInt(client.of('inbox')[0]!.id)])
    await node.sweep.sweep()
    await client.untilSeq(group, head)
  })

  it('what retention decides: rejoin', async () => {
    const group = await TestGroup.create(database.pool, alice)
    await node.sweep.sweep()
    await waitFor(() => node.interest.gids().length === 1)
    await database.pool.query('UPDATE member SET resync = true WHERE device_id = $1', [alice])
    await database.pool.query(`INSERT INTO inbox (device_id, kind, gid) VALUES ($1, 'resync', $2)`, [alice, group.gid])
    await node.sweep.sweep()
    await client.until('resync', () => client.of('resync').length === 1)
    await client.until('the item', () => client.of('inbox').length === 1)
  })

  it('a restored database: the new incarnation and what follows in it', async () => {
    const group = await TestGroup.create(database.pool, alice)
    await group.say(1)
    await node.sweep.sweep()
    await client.untilSeq(group, 1)
    const { rows } = await database.pool.query<{ incarnation: number }>('SELECT incarnation FROM recovered()')
    const incarnation = rows[0]!.incarnation
    const head = await group.say(1)
    await node.sweep.sweep()
    await client.until('resync', () => client.of('resync').length === 1)
    await client.untilSeq(group, head)
    expect(client.of('resync')[0]).toMatchObject({ incarnation })
    expect(client.entries(group).at(-1)).toMatchObject({ incarnation })
  })

  it('the end of a group, of which nothing stays on the node', async () => {
    const group = await TestGroup.create(database.pool, alice)
    await node.sweep.sweep()
    await waitFor(() => node.interest.gids().includes(group.gid))
    await deleteGroup(database.pool, 'localhost', group.gid)
    await node.sweep.sweep()
    await client.until('group.deleted', () => client.of('inbox').some(({ kind }) => kind === 'group.deleted'))
    await waitFor(() => node.interest.gids().length === 0)
  })

  it('the news that KeyPackages run out', async () => {
    await database.pool.query(
      `INSERT INTO inbox (device_id, kind, payload) VALUES ($1, 'key-packages.low', '{"cipher_suite": 1, "remaining": 2}')`,
      [alice],
    )
    await node.sweep.sweep()
    await client.until('key-packages.low', () => client.of('inbox').some(({ kind }) => kind === 'key-packages.low'))
  })

  it('its end, when the device opened another stream on another node', async () => {
    const elsewhere = await start()
    const second = await connect(elsewhere, alice)
    await second.live()
    await waitFor(async () => (await streamNews(alice)) === 2)
    // Both sweep, in any order: the newer one stays.
    await Promise.all([elsewhere.sweep.sweep(), node.sweep.sweep()])
    expect(await client.code()).toBe(4409)
    await elsewhere.sweep.sweep()
    second.send({ t: 'ping', n: 1 })
    await second.until('an answer', () => second.of('pong').length === 1)
    // The one that gave way is forgotten, so that it displaces nobody.
    await waitFor(async () => (await streamNews(alice)) === 1)
  })

  it('nothing that it knows: its memberships are not read again', async () => {
    const group = await TestGroup.create(database.pool, alice)
    await node.sweep.sweep()
    await waitFor(() => node.interest.gids().includes(group.gid))
    await group.say(1)
    const reads = countStatements('read_memberships')
    for (let sweep = 0; sweep < 3; sweep++) await node.sweep.sweep()
    await client.untilSeq(group, 1)
    expect(reads.stop()).toBe(0)
  })
})

describe('without any hint, one sweep ends a long poll', () => {
  const never = new AbortController().signal
  const polling = () => new Polling(new EventsReader(database.pool, node.acks), node.interest, node.metrics, { maxStreams: 3 })

  it('with the first entry of a group that the device created while it waited', async () => {
    const waiting = polling().events(callerOf(bob), { wait: 60 }, never)
    await waitFor(() => node.interest.deviceIds().includes(bob))
    const group = await TestGroup.create(database.pool, bob)
    await group.say(1)
    await node.sweep.sweep()
    expect(seqsOf(await waiting)).toEqual([1])
  })

  it('with a Welcome', async () => {
    const waiting = polling().events(callerOf(bob), { wait: 60 }, never)
    await waitFor(() => node.interest.deviceIds().includes(bob))
    const group = await TestGroup.create(database.pool, alice)
    await group.add(bob, 'welcome')
    await node.sweep.sweep()
    expect((await waiting).inbox).toMatchObject([{ kind: 'welcome' }])
  })
})

describe('a sweep', () => {
  it('misses no change whose transaction ends after that of a later one was swept', async () => {
    const early = await database.pool.connect()
    try {
      await early.query('BEGIN')
      const { rows } = await early.query<{ gid: bigint }>(
        `INSERT INTO groups (group_id, mode, cipher_suite, epoch, head_chain, room_id) VALUES ('\\x0101', 'private', 1, 0, '\\x00', 'r') RETURNING gid`,
      )
      await early.query('INSERT INTO member (device_id, gid, from_seq, join_epoch, acked) VALUES ($1, $2, 1, 0, 0)', [alice, rows[0]!.gid])
      const late = await TestGroup.create(database.pool, alice)
      await node.sweep.sweep()
      await waitFor(() => node.interest.gids().includes(late.gid))
      await node.sweep.sweep()
      await early.query('COMMIT')
      await node.sweep.sweep()
      await waitFor(() => node.interest.gids().includes(rows[0]!.gid))
    } finally {
      early.release()
    }
  })

  it('tells every device when another database answers, in which transactions have other numbers', async () => {
    const query = database.pool.query.bind(database.pool)
    let restarted = false
    database.pool.query = (async (...parameters: Parameters<typeof query>) => {
      const answer = await (query as (...all: unknown[]) => Promise<{ rows: { horizon?: string }[] }>)(...parameters)
      if (restarted) for (const row of answer.rows) if (row.horizon !== undefined) row.horizon = '3'
      return answer
    }) as unknown as typeof query
    try {
      restarted = true
      const reads = countStatements('read_memberships')
      await node.sweep.sweep()
      await waitFor(() => reads.count() === 1)
      reads.stop()
    } finally {
      database.pool.query = query
    }
  })
})

/** Rows that say of this device that it opened a stream. */
async function streamNews(deviceId: bigint): Promise<number> {
  const { rowCount } = await database.pool.query('SELECT FROM device_news WHERE device_id = $1 AND stream_id IS NOT NULL', [deviceId])
  return rowCount ?? 0
}

/** Counts how often the pool is asked for a statement. */
function countStatements(name: string) {
  const { pool } = database
  const query = pool.query.bind(pool)
  let count = 0
  pool.query = ((...parameters: Parameters<typeof query>) => {
    const [first] = parameters as unknown as [{ name?: string }]
    if (first.name === name) count += 1
    return query(...parameters)
  }) as typeof pool.query
  return {
    count: () => count,
    stop: () => {
      pool.query = query
      return count
    },
  }
}
