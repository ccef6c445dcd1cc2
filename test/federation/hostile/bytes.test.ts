import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { TakeUp } from '../../../src/federation/quotas/take-up.js'
import { eventually } from '../../support/eventually.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer, type TestServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import { HostileProvider, type Victim } from './peer/hostile-provider.js'
import { claimFor, HostileGroup } from './peer/hub.js'
import { uint } from './peer/log.js'
import { privateMessage, refOf, welcome } from './peer/mls.js'
import { opaque } from './peer/tls.js'

// A hub that signs well writes into the database of another provider.

const DOMAIN = 'a.example'
const MIB = 1024 ** 2
const hubs = ['c.example', 'd.example', 'e.example', 'f.example', 'g.example'].map((domain) => new HostileProvider(domain))
const servers: TestServer[] = []
beforeAll(() => Promise.all(hubs.map((hub) => hub.listen())))
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()))
  await Promise.all(hubs.map((hub) => hub.close()))
})
const worlds: World[] = []
afterEach(async () => void (await Promise.all(worlds.splice(0).map((world) => world.disconnect()))))

interface Attacked {
  readonly server: TestServer
  readonly a: Victim
  readonly world: World
}

/** A provider of its own for each test: hubs are counted for all that they keep there. */
async function attacked(settings: Record<string, string> = {}): Promise<Attacked> {
  const server = await startServer({
    ...GENEROUS,
    DOMAIN,
    PUBLIC_URL: `http://${DOMAIN}`,
    FEDERATION: 'open',
    FEDERATION_PEER_URLS: hubs.map(({ domain, url }) => `${domain}=${url}`).join(','),
    FEDERATION_ALLOWED_RANGES: '127.0.0.0/8',
    LIMITS: 'peer-body-bytes=1000000000,address-peer-requests=100000,new-peers-of-address=1000',
    STREAM_ACK_FLUSH: '10ms',
    ...settings,
  })
  servers.push(server)
  const world = new World(server.url, DOMAIN)
  worlds.push(world)
  return { server, a: { domain: DOMAIN, url: server.url, proxy: { url: `http://${DOMAIN}` } }, world }
}

const small = (limits: Record<string, number>) => ({
  LIMITS: [
    'peer-body-bytes=1000000000,address-peer-requests=100000,new-peers-of-address=1000',
    ...Object.entries(limits).map(([name, number]) => `${name}=${number}`),
  ].join(','),
})

/** A user whose device is away: it does not try to make sense of garbage. */
async function offline(world: World) {
  const [alice] = await world.cast('alice')
  await alice.disconnect()
  return alice
}

let serial = 0
/** A private group at a hub, with nobody in it. */
function groupAt(hub: HostileProvider): HostileGroup {
  const groupId = Buffer.from(`trap ${++serial}`)
  return new HostileGroup(hub, groupId, `mimi://${hub.domain}/r/trap-${serial}`)
}

/** A group into which the user's device is brought by a KeyPackage that was claimed for it. */
async function trap(
  hub: HostileProvider,
  a: Victim,
  { device, user }: { device: { client: string }; user: string },
): Promise<HostileGroup> {
  const group = groupAt(hub)
  const ref = refOf(await claimFor(hub, a, user, group.roomId))
  expect(await group.add(a, device.client, welcome([ref]))).toBe('received')
  return group
}

/** Messages of made-up bytes at the end of a group. */
function garbage({ groupId, epoch }: { groupId: Uint8Array; epoch: number }, count: number, size: number) {
  const head = privateMessage({ groupId, epoch }, 'application').subarray(0, 4)
  const place = Buffer.concat([opaque(groupId), uint(epoch, 8), Buffer.of(1), opaque('')])
  return Array.from({ length: count }, () => {
    const message = Buffer.concat([head, place, opaque(randomBytes(28)), opaque(randomBytes(size))])
    return { kind: 'application', epoch, message } as const
  })
}

const push = (group: HostileGroup, a: Victim, count: number, size: number) => group.push(a, garbage(group, count, size))

const number = async (server: TestServer, text: string, values: unknown[] = []) =>
  Number((await server.pool.query<{ n: string }>(`SELECT (${text})::text AS n`, values)).rows[0]?.n ?? 0)
const logBytes = (server: TestServer) => number(server, 'SELECT coalesce(sum(octet_length(bytes)), 0) FROM log')
/** With indexes, and with what was written and taken back. */
const logFiles = (server: TestServer) =>
  number(server, `SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'log'::regclass`)

/** What is counted, and what there is. */
async function counters(server: TestServer, hub: string) {
  const { rows } = await server.pool.query<{ counted: bigint; kept: bigint; ofUsers: bigint; newBytes: bigint; newKept: bigint }>(
    `SELECT s.bytes AS counted, s.new_bytes AS "newBytes",
            (SELECT coalesce(sum(held_bytes(p_gid => r.gid)), 0)::bigint FROM replica_storage r WHERE r.hub = s.domain) AS kept,
            (SELECT coalesce(sum(held_bytes(p_gid => r.gid)), 0)::bigint FROM replica_storage r WHERE r.hub = s.domain AND r.stage = 0) AS "newKept",
            (SELECT coalesce(sum(u.bytes), 0)::bigint FROM peer_user_storage u WHERE u.domain = s.domain) AS "ofUsers"
       FROM peer_storage s WHERE s.domain = $1`,
    [hub],
  )
  return rows[0]!
}

async function expectExact(server: TestServer, hub: HostileProvider): Promise<void> {
  const { counted, kept, ofUsers, newBytes, newKept } = await counters(server, hub.domain)
  expect([counted, ofUsers, newBytes]).toEqual([kept, kept, newKept])
}

describe('a hub that fills a group in which a user was put without a word', () => {
  it('stores a megabyte of 230, and hears that it may try again later', async () => {
    const { server, a, world } = await attacked({ FEDERATION_BYTES_PER_MINUTE: '1GiB' })
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    const before = await logFiles(server)
    const told = new Set<string>()
    for (let request = 0; request < 40; request++) told.add(await push(group, a, 23, 250_000))
    expect([...told]).toEqual(['held-back'])
    let pushed = 0
    while ((await push(group, a, 1, 50_000)) === 'received') pushed++
    expect(pushed).toBeGreaterThan(10)
    expect(await logBytes(server)).toBeLessThan(MIB)
    expect((await logFiles(server)) - before).toBeLessThan(3 * MIB)
    await expectExact(server, hubs[0]!)
  })

  it('has no more in rows than in bytes: an entry of some bytes counts for the row that it takes', async () => {
    const { server, a, world } = await attacked(small({ 'peer-new-group-bytes': 100_000 }))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    while ((await push(group, a, 100, 1)) === 'received');
    while ((await push(group, a, 1, 1)) === 'received');
    expect(await number(server, 'SELECT count(*) FROM log')).toBeLessThan(400)
  })

  it('hears when that is', async () => {
    const { a, world } = await attacked(small({ 'peer-new-group-bytes': 10_000 }))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    const { bytes } = group.batch(a.domain, garbage(group, 1, 20_000))
    const told = await hubs[0]!.ask(a, 'notify', group.roomId, bytes)
    expect([told.status, told.problem, Number(told.retryAfter)]).toEqual([429, 'held-back', 300])
  })

  it('cannot exceed it by eight batches at the same time', async () => {
    const { server, a, world } = await attacked(small({ 'peer-new-bytes-of-user': 100_000 }))
    const alice = await offline(world)
    const groups: HostileGroup[] = []
    for (let n = 0; n < 8; n++) groups.push(await trap(hubs[0]!, a, alice))
    const told = await Promise.all(groups.map((group) => push(group, a, 1, 30_000)))
    expect(told.toSorted()).toEqual([...Array<string>(5).fill('held-back'), ...Array<string>(3).fill('received')])
    expect(await logBytes(server)).toBeLessThan(100_000)
    await expectExact(server, hubs[0]!)
  })
})

describe('a hub with many groups, or many users', () => {
  it('has as much for one user in forty groups as it may have for that user', async () => {
    const { server, a, world } = await attacked(small({ 'peer-new-group-bytes': 50_000, 'peer-new-bytes-of-user': 200_000 }))
    const alice = await offline(world)
    const told: string[] = []
    for (let n = 0; n < 40; n++) told.push(await push(await trap(hubs[0]!, a, alice), a, 1, 40_000))
    expect(told.filter((code) => code === 'received')).toHaveLength(4)
    expect(await logBytes(server)).toBeLessThan(200_000)
  })

  it('has as much for forty users as it may have for all', async () => {
    const { server, a, world } = await attacked(small({ 'peer-new-group-bytes': 50_000, 'peer-new-bytes': 200_000 }))
    const told: string[] = []
    for (let n = 0; n < 40; n++) told.push(await push(await trap(hubs[0]!, a, await offline(world)), a, 1, 40_000))
    expect(told.filter((code) => code === 'received').length).toBeLessThanOrEqual(4)
    expect(await logBytes(server)).toBeLessThan(200_000)
    await expectExact(server, hubs[0]!)
  })

  it('makes no more groups with a user than it may', async () => {
    const { server, a, world } = await attacked(small({ 'peer-new-groups-of-user': 3 }))
    const alice = await offline(world)
    for (let n = 0; n < 3; n++) await trap(hubs[0]!, a, alice)
    const group = groupAt(hubs[0]!)
    const ref = refOf(await claimFor(hubs[0]!, a, alice.user, group.roomId))
    expect(await group.add(a, alice.device.client, welcome([ref]))).toBe('held-back')
    expect(await number(server, 'SELECT count(*) FROM groups')).toBe(3)
    expect(await number(server, "SELECT count(*) FROM inbox WHERE kind = 'welcome'")).toBeLessThanOrEqual(3)
    // Another hub has its own.
    await trap(hubs[1]!, a, alice)
  })

  it('takes nothing from another hub', async () => {
    const { a, world } = await attacked(small({ 'peer-new-bytes': 100_000, 'peer-new-bytes-of-user': 100_000 }))
    const alice = await offline(world)
    const [bad, good] = [await trap(hubs[0]!, a, alice), await trap(hubs[1]!, a, alice)]
    expect(await push(bad, a, 3, 30_000)).toBe('received')
    expect(await push(bad, a, 1, 30_000)).toBe('held-back')
    expect(await push(good, a, 3, 30_000)).toBe('received')
  })

  it('has no more than FEDERATION_PEER_MAX_BYTES, also of groups that are read', async () => {
    const { server, a, world } = await attacked({ FEDERATION_PEER_MAX_BYTES: '100000' })
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    await server.pool.query('SELECT raise_stage(p_gid => gid, p_stage => 2::smallint) FROM replica_storage')
    expect(await push(group, a, 3, 30_000)).toBe('received')
    expect(await push(group, a, 1, 30_000)).toBe('held-back')
    expect(await number(server, 'SELECT bytes FROM peer_storage')).toBeLessThan(100_000)
  })
})

describe('the stage of a group', () => {
  const limits = { 'peer-new-group-bytes': 50_000, 'peer-joined-group-bytes': 150_000 }
  const stage = (server: TestServer) => number(server, 'SELECT max(stage) FROM replica_storage')

  it('is that of a new one until a member here has fetched its Welcome', async () => {
    const { server, a, world } = await attacked(small(limits))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    expect(await push(group, a, 2, 30_000)).toBe('held-back')
    await server.app.get(TakeUp).run()
    expect(await stage(server)).toBe(0)
    await server.pool.query("DELETE FROM inbox WHERE kind = 'welcome'")
    await server.app.get(TakeUp).run()
    expect(await stage(server)).toBe(1)
    expect(await push(group, a, 4, 30_000)).toBe('received')
    expect(await push(group, a, 1, 30_000)).toBe('held-back')
    await expectExact(server, hubs[0]!)
  })

  it('is that of a used one when a member here has acknowledged half of what came', async () => {
    const { server, a, world } = await attacked(small(limits))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    await server.pool.query("DELETE FROM inbox WHERE kind = 'welcome'")
    expect(await push(group, a, 4, 30_000)).toBe('received')
    await server.pool.query('UPDATE member SET acked = acked + 1')
    expect(await push(group, a, 2, 30_000)).toBe('held-back')
    await server.pool.query('UPDATE member SET acked = acked + 1')
    expect(await push(group, a, 2, 30_000)).toBe('received')
    expect(await stage(server)).toBe(2)
  })

  it('does not rise for a user who was only invited, or has blocked the group', async () => {
    const { server, a, world } = await attacked(small(limits))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    await server.pool.query("DELETE FROM inbox WHERE kind = 'welcome'")
    for (const delivery of ['invited', 'blocked']) {
      await server.pool.query('UPDATE member SET delivery = $1', [delivery])
      expect(await push(group, a, 2, 30_000)).toBe('held-back')
    }
  })

  it('counts for nothing once no member is left', async () => {
    const { server, a, world } = await attacked(small(limits))
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    await server.pool.query('SELECT raise_stage(p_gid => gid, p_stage => 2::smallint) FROM replica_storage')
    expect(await push(group, a, 3, 30_000)).toBe('received')
    expect(await group.remove(a, alice.device.client)).toBe('received')
    expect(await push(group, a, 1, 30_000)).toBe('held-back')
  })
})

describe('the counters', () => {
  it('get back what a deletion frees, and the group is no new one any more', async () => {
    const { server, a, world } = await attacked()
    const alice = await offline(world)
    const group = await trap(hubs[0]!, a, alice)
    expect(await push(group, a, 2, 30_000)).toBe('received')
    const body = Buffer.concat([opaque(group.roomId), opaque(group.groupId), Buffer.of(0, 0, 0, 1)])
    expect((await hubs[0]!.ask(a, 'deleteRoom', group.roomId, body)).status).toBe(200)
    const { rows } = await server.pool.query('SELECT bytes, new_bytes, new_groups FROM peer_storage')
    expect(rows).toEqual([{ bytes: 0n, new_bytes: 0n, new_groups: 0 }])
    expect(await number(server, 'SELECT count(*) FROM replica_storage')).toBe(0)
  })

  it('are shown to the operator', async () => {
    const { server, a, world } = await attacked(small({ 'peer-new-group-bytes': 10_000 }))
    const alice = await offline(world)
    await push(await trap(hubs[0]!, a, alice), a, 1, 20_000)
    const text = await eventually(
      async () => (await fetch(`${server.url}/metrics`)).text(),
      (metrics) => metrics.includes('federation_peers_held_back 1'),
    )
    expect(text).toMatch(/limits_refused_total\{limit="peer-new-group-bytes"\} 1/)
    expect(text).toMatch(/business_events_total\{event="peer.held_back"\} 1/)
  })
})
