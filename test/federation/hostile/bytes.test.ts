import { describe, expect, it } from '@jest/globals'
import { claimFor, type HostileGroup } from './peer/hub.js'
import { refOf, welcome } from './peer/mls.js'
import {
  attacked,
  expectExact,
  garbage,
  groupAt,
  hubs,
  logBytes,
  logFiles,
  MIB,
  number,
  offline,
  push,
  small,
  trap,
  useHubs,
} from './peer/trap.js'

// A hub that signs well writes into the database of another provider.

useHubs()

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
