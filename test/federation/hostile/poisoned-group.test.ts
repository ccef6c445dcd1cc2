import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { Group } from '../../../examples/client/group.js'
import { eventually } from '../../support/eventually.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import { HostileProvider } from './peer/hostile-provider.js'

let peer: HostileProvider
let server: TestServer
let world: World
/** Batches that came, by the group's name. */
let came: string[] = []
let serial = 0
beforeAll(async () => {
  peer = await new HostileProvider('c.example').listen()
  server = await startServer({
    ...GENEROUS,
    DOMAIN: 'a.example',
    PUBLIC_URL: 'http://a.example',
    FEDERATION: 'open',
    FEDERATION_PEER_URLS: `c.example=${peer.url}`,
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    SWEEP_INTERVAL: '200ms',
  })
  world = new World(server.url, 'a.example')
})
afterAll(async () => {
  await world.disconnect()
  await Promise.all([server.close(), peer.close()])
})

/** `received` up to a seq (`NotifyResponse`). */
function received(seq: number): Buffer {
  const body = Buffer.alloc(13)
  body.writeUInt32BE(1, 1)
  body.writeBigUInt64BE(BigInt(seq), 5)
  return body
}

const nameOf = (group: Group) => Buffer.from(group.record.groupId).toString()

/** Groups of a.example of which c.example follows the log from its beginning on, the first ones first. */
async function followed(...names: string[]): Promise<Group[]> {
  const [alice] = await world.cast('alice')
  const groups: Group[] = []
  for (const name of names) groups.push(await world.group(alice, [], { groupId: Buffer.from(world.unique(`${name}-${++serial}`)) }))
  for (const group of groups) await group.send('one')
  await server.pool.query(
    `INSERT INTO peer_cursor (domain, gid, from_seq, acked, incarnation)
     SELECT 'c.example', gid, 1, 0, 1 FROM groups WHERE group_id = ANY ($1) ORDER BY gid`,
    [groups.map((group) => Buffer.from(group.record.groupId))],
  )
  return groups
}

/** The peer answers so for groups of these names, and takes everything of others. */
function refuse(groups: Group[], answer: { status: number; headers?: Record<string, string> }, refused: (group: Group) => boolean) {
  peer.answering = (endpoint, body) => {
    if (endpoint !== 'notify') return { status: 404 }
    const group = groups.find((one) => body.includes(Buffer.from(one.record.groupId)))
    if (!group) return { status: 404 }
    came.push(nameOf(group))
    return refused(group) ? answer : { status: 200, body: received(1_000) }
  }
}

const cursor = async (group: Group) => {
  const { rows } = await server.pool.query<{ acked: bigint; failures: number; stopped: string | null; retryAt: Date | null; head: bigint }>(
    `SELECT c.acked, c.failures, c.stopped, c.retry_at AS "retryAt", g.head_seq AS head FROM peer_cursor c JOIN groups g USING (gid) WHERE g.group_id = $1`,
    [Buffer.from(group.record.groupId)],
  )
  return rows[0]!
}
const peerRow = async () =>
  (await server.pool.query<{ failures: number }>("SELECT failures FROM peer WHERE domain = 'c.example'")).rows[0]?.failures ?? 0
const level = (group: Group) =>
  eventually(
    () => cursor(group),
    ({ acked, head }) => acked === head,
  )

beforeEach(async () => {
  came = []
  await server.pool.query('DELETE FROM peer_cursor')
  await server.pool.query('UPDATE peer SET failures = 0, retry_at = NULL')
})

describe('a group whose batches the peer cannot take', () => {
  it.each([
    ['signed 500', { status: 500 }],
    ['signed 429 with Retry-After', { status: 429, headers: { 'retry-after': '600' } }],
    ['signed 404', { status: 404 }],
  ])('holds none of its others up: %s', async (_what, answer) => {
    const [poisoned, honest] = (await followed('poisoned', 'honest')) as [Group, Group]
    refuse([poisoned, honest], answer, (group) => group === poisoned)
    await level(honest)
    await honest.send('two')
    await level(honest)
    expect(await cursor(poisoned)).toMatchObject({ acked: 0n, stopped: null })
    expect(await peerRow()).toBe(0)
  })

  it('is tried again by itself, less and less often, and gets everything once the peer can take it', async () => {
    const [poisoned] = (await followed('poisoned')) as [Group]
    let broken = true
    refuse([poisoned], { status: 500 }, () => broken)
    await eventually(
      () => cursor(poisoned),
      ({ failures }) => failures >= 2,
    )
    broken = false
    await level(poisoned)
    expect(await cursor(poisoned)).toMatchObject({ failures: 0, retryAt: null })
  })

  it('is stopped after many tries, shown so, and tried again some hours later', async () => {
    const [poisoned, honest] = (await followed('poisoned', 'honest')) as [Group, Group]
    refuse([poisoned, honest], { status: 500 }, (group) => group === poisoned)
    await eventually(
      () => cursor(poisoned),
      ({ failures }) => failures >= 1,
    )
    await server.pool.query("UPDATE peer_cursor SET failures = 11, retry_at = now() + interval '1 hour' WHERE failures > 0")
    // Only a peer that takes others says something about this one.
    await honest.send('two')
    await level(honest)
    await server.pool.query('UPDATE peer_cursor SET retry_at = NULL WHERE failures > 0')
    const stopped = await eventually(
      () => cursor(poisoned),
      (seen) => seen.stopped !== null,
    )
    expect(stopped.stopped).toContain('500')
    expect(stopped.retryAt!.getTime()).toBeGreaterThan(Date.now() + 2 * 3_600_000)
    refuse([poisoned, honest], { status: 500 }, () => false)
    await server.pool.query('UPDATE peer_cursor SET retry_at = now()')
    await level(poisoned)
    expect(await cursor(poisoned)).toMatchObject({ failures: 0, stopped: null, retryAt: null })
  })

  it('is one of many when the peer is down: then the peer is left alone, not each group asked', async () => {
    const groups = await followed(...Array.from({ length: 8 }, (_, number) => `down-${number}`))
    refuse(groups, { status: 503, headers: { 'retry-after': '600' } }, () => true)
    await eventually(peerRow, (failures) => failures > 0)
    expect(came.length).toBe(3)
    expect(new Set(came).size).toBe(3)
  })
})

describe('an outage of the peer, which answers all with a signed 503', () => {
  it('for twelve runs stops no group, and all get everything at once after it', async () => {
    const groups = await followed('first', 'second', 'third', 'fourth')
    refuse(groups, { status: 503 }, () => true)
    for (let runs = 1; runs <= 12; runs++) {
      await eventually(peerRow, (failures) => failures >= runs)
      await server.pool.query('UPDATE peer SET retry_at = NULL')
    }
    for (const group of groups) expect(await cursor(group)).toMatchObject({ acked: 0n, failures: 0, stopped: null, retryAt: null })
    refuse(groups, { status: 503 }, () => false)
    await server.pool.query('UPDATE peer SET retry_at = NULL')
    for (const group of groups) await level(group)
  })

  it.each([3, 10])('is distinguished from %i poisoned groups before an honest one', async (count) => {
    const groups = await followed(...Array.from({ length: count }, (_, number) => `poisoned-${number}`), 'honest')
    const honest = groups.at(-1)!
    refuse(groups, { status: 500 }, (group) => group !== honest)
    await level(honest)
    await honest.send('two')
    await level(honest)
    await eventually(peerRow, (failures) => failures === 0)
  })
})

describe('a group that the peer refuses for good', () => {
  it('is tried again by itself, some hours later', async () => {
    const [refused] = (await followed('refused')) as [Group]
    refuse([refused], { status: 422 }, () => true)
    const stopped = await eventually(
      () => cursor(refused),
      (seen) => seen.stopped !== null,
    )
    expect(stopped.retryAt!.getTime()).toBeGreaterThan(Date.now() + 2 * 3_600_000)
  })
})

describe('a deletion that the peer answers with a signed 500', () => {
  it('holds no group up', async () => {
    const [honest] = (await followed('honest')) as [Group]
    await server.pool.query(
      `INSERT INTO peer_deletion (domain, group_id, room_id, incarnation) VALUES ('c.example', '\\x01', 'mimi://a.example/r/gone', 1)`,
    )
    refuse([honest], { status: 500 }, () => false)
    const { answering } = peer
    peer.answering = (endpoint, body, url) => (endpoint === 'deleteRoom' ? { status: 500 } : answering(endpoint, body, url))
    await level(honest)
    const { rows } = await server.pool.query('SELECT failures, last_error FROM peer_deletion')
    expect(rows).toEqual([{ failures: expect.any(Number), last_error: expect.stringContaining('500') }])
    await server.pool.query('DELETE FROM peer_deletion')
  })
})
