import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import type { Group } from '../../../examples/client/group.js'
import { toBase64Url, utf8 } from '../../../examples/client/wire.js'
import { forgetDeletedUnknown } from '../../../src/federation/follower/replica/deletion.repository.js'
import { federationSettings, type Provider } from '../../support/federation.js'
import { GENEROUS } from '../../support/generous.js'
import { startServer } from '../../support/server.js'
import { World } from '../../support/world.js'
import { HostileProvider } from './peer/hostile-provider.js'
import { cbor, claimFor, codeOf, HostileGroup } from './peer/hub.js'
import { refOf, welcome } from './peer/mls.js'
import { opaque } from './peer/tls.js'

// Three honest providers, and two hubs that take the ids of their groups.

const mallory = new HostileProvider('m.example')
const other = new HostileProvider('n.example')
const providers: Provider[] = []
const worlds: World[] = []
beforeAll(async () => {
  await Promise.all([mallory.listen(), other.listen()])
  const settings = await federationSettings(3)
  for (const { domain, proxy, settings: given } of settings) {
    const peers = `${given['FEDERATION_PEER_URLS']},m.example=${mallory.url},n.example=${other.url}`
    const server = await startServer({ ...GENEROUS, ...given, FEDERATION_PEER_URLS: peers })
    proxy.target = server.url
    providers.push({ ...server, domain, proxy })
    worlds.push(new World(server.url, domain))
  }
})
afterEach(() => Promise.all(worlds.map((world) => world.disconnect())))
afterAll(async () => {
  await Promise.all(providers.map((provider) => provider.close()))
  await Promise.all([...providers.map(({ proxy }) => proxy.close()), mallory.close(), other.close()])
})

let serial = 0
const newId = () => utf8(`taken-${++serial}-${Date.now()}`)

/** Alice of the hub a.example, bob of b.example, who is to come into her group, and the follower b.example. */
async function cast() {
  const [home, away] = worlds as [World, World, World]
  const [, b] = providers as [Provider, Provider, Provider]
  const [alice] = await home.cast('alice')
  const [bob, carol] = await away.cast('bob', 'carol')
  return { alice, bob, carol, b, id: newId() }
}

/** A group of m.example, or another hub, in which a user of the provider is. @returns the group, once it is there */
async function trap(hub: HostileProvider, provider: Provider, victim: Client, id: Uint8Array): Promise<HostileGroup> {
  const group = new HostileGroup(hub, id, `mimi://${hub.domain}/r/trap-${++serial}`)
  const ref = refOf(await claimFor(hub, provider, victim.user, group.roomId))
  expect(await group.add(provider, victim.device.client, welcome([ref]))).toBe('received')
  return group
}

/** The group as another client has it, which may know it by another address. */
async function joinedAs(client: Client, group: Group): Promise<Group> {
  const { groupId } = group.record.state.groupContext
  const here = () =>
    client.store.groupsInMls(groupId).find(({ standing, state }) => {
      return (
        standing === 'member' &&
        Buffer.compare(state.keySchedule.epochAuthenticator, group.record.state.keySchedule.epochAuthenticator) === 0
      )
    })
  await client.until('joining', () => here() !== undefined)
  return client.group(here()!.groupId)
}

const clientOf = ({ device }: Group): Client => worlds.flatMap(({ clients }) => clients).find((client) => client.device === device)!

/** Both write, and both read it; no lane has stopped. */
async function chat(one: Group, two: Group, provider: Provider): Promise<void> {
  await one.send('to you')
  await two.device.http.get(two.path)
  await clientOf(two).until('one text', () => two.texts.includes('to you'))
  await two.send('and back')
  await clientOf(one).until('the answer', () => one.texts.includes('and back'))
  expect(two.path).toContain(toBase64Url(two.record.groupId))
  const { rows } = await provider.pool.query('SELECT FROM peer_cursor WHERE stopped IS NOT NULL')
  expect(rows).toEqual([])
}

const followed = async ({ pool }: Provider, id: Uint8Array) =>
  (
    await pool.query<{ hub: string; address: Buffer; gid: bigint | null }>(
      'SELECT hub, group_id AS address, gid FROM followed_group WHERE coalesce(mls_group_id, group_id) = $1 ORDER BY hub',
      [id],
    )
  ).rows

const deleteRoom = (room: string, id: Uint8Array) => Buffer.concat([opaque(room), opaque(id), Buffer.from([0, 0, 0, 1])])

describe('somebody comes into a group all the same whose id was taken before', () => {
  it('by a trap of another hub', async () => {
    const { alice, bob, carol, b, id } = await cast()
    await carol.disconnect()
    const trapped = await trap(mallory, b, carol, id)
    const group = await alice.createGroup({ groupId: id })
    await group.add(bob.user)
    const bobs = await joinedAs(bob, group)
    expect(Buffer.compare(bobs.record.groupId, id)).not.toBe(0)
    await chat(group, bobs, providers[0]!)
    expect((await bob.device.http.get<{ mls_group_id: Uint8Array }>(bobs.path)).mls_group_id).toEqual(id)
    expect(await trapped.say(b)).toBe('received')
  })

  it('by a deletion of a room that is not the hub’s, or of an unknown group', async () => {
    const { alice, bob, b, id } = await cast()
    const theirs = 'mimi://a.example/r/any'
    expect(codeOf(await mallory.ask(b, 'deleteRoom', theirs, deleteRoom(theirs, id)))).toBe('home-elsewhere')
    const own = 'mimi://m.example/r/any'
    expect(codeOf(await mallory.ask(b, 'deleteRoom', own, deleteRoom(theirs, id)))).toBe('home-elsewhere')
    expect((await mallory.ask(b, 'deleteRoom', own, deleteRoom(own, id))).status).toBe(200)
    expect(await followed(b, id)).toEqual([])
    const group = await alice.createGroup({ groupId: id })
    await group.add(bob.user)
    const bobs = await joinedAs(bob, group)
    expect(Buffer.from(bobs.record.groupId)).toEqual(Buffer.from(id))
    await chat(group, bobs, providers[0]!)
    expect((await mallory.ask(b, 'deleteRoom', own, deleteRoom(own, id))).status).toBe(200)
    await chat(group, bobs, providers[0]!)
  })

  it('by a group of an account of the follower', async () => {
    const { alice, bob, carol, id } = await cast()
    const local = await carol.createGroup({ groupId: id })
    const group = await alice.createGroup({ groupId: id })
    await group.add(bob.user)
    await chat(group, await joinedAs(bob, group), providers[0]!)
    await local.send('to myself')
  })

  it.each([
    ['just now: what was looked up keeps its address, to which join codes go', '0 minutes', false],
    ['a while ago: it gives way', '11 minutes', true],
  ])('by a hub that says so of a room that somebody looked up %s', async (_when, ago, givesWay) => {
    const { alice, bob, carol, b, id } = await cast()
    const roomId = `mimi://m.example/r/looked-up-${ago.slice(0, 2).trim()}`
    const room = `/v1/rooms/${encodeURIComponent(roomId)}`
    mallory.answering = () => ({ status: 200, body: cbor({ room: roomId, group_id: id }) })
    await carol.device.http.get(room)
    expect(await followed(b, id)).toMatchObject([{ hub: 'm.example', gid: null }])
    await b.pool.query('UPDATE followed_group SET first_seen_at = now() - $2::interval WHERE room_id = $1', [roomId, ago])
    const group = await alice.createGroup({ groupId: id })
    await group.add(bob.user)
    const bobs = await joinedAs(bob, group)
    expect(Buffer.compare(bobs.record.groupId, id) === 0).toBe(givesWay)
    await chat(group, bobs, providers[0]!)
    const { group_id: again } = await carol.device.http.get<{ group_id: Uint8Array }>(room)
    expect(Buffer.compare(again, id) === 0).toBe(!givesWay)
    const { rows } = await b.pool.query('SELECT hub FROM followed_group WHERE group_id = $1', [id])
    expect(rows).toEqual([{ hub: givesWay ? 'a.example' : 'm.example' }])
  })
})

it('is said of a room by its hub without end, and one row is kept, for a day', async () => {
  const { carol, b } = await cast()
  const roomId = 'mimi://m.example/r/restless'
  mallory.answering = () => ({ status: 200, body: cbor({ room: roomId, group_id: newId() }) })
  for (let round = 0; round < 5; round++) await carol.device.http.get(`/v1/rooms/${encodeURIComponent(roomId)}`)
  const rows = async () => (await b.pool.query('SELECT FROM followed_group WHERE room_id = $1', [roomId])).rowCount
  expect(await rows()).toBe(1)
  await b.pool.query("UPDATE followed_group SET first_seen_at = now() - interval '25 hours' WHERE room_id = $1", [roomId])
  await forgetDeletedUnknown(b.pool)
  expect(await rows()).toBe(0)
})

it('does nothing to a group that is there already', async () => {
  const { alice, bob, carol, b, id } = await cast()
  await carol.disconnect()
  const group = await alice.createGroup({ groupId: id })
  await group.add(bob.user)
  const bobs = await joinedAs(bob, group)
  await trap(mallory, b, carol, id)
  await trap(other, b, carol, id)
  await chat(group, bobs, providers[0]!)
  const rows = await followed(b, id)
  expect(rows.map(({ hub, address }) => [hub, Buffer.compare(address, id) === 0])).toEqual([
    ['a.example', true],
    ['m.example', false],
    ['n.example', false],
  ])
})

it('may be that of two groups elsewhere and of one here, which one client uses at the same time', async () => {
  const { alice, bob, b, id } = await cast()
  const [carol] = await worlds[2]!.cast('carol')
  const [dave] = await worlds[1]!.cast('dave')
  const [first, second] = [await alice.createGroup({ groupId: id }), await carol.createGroup({ groupId: id })]
  await first.add(bob.user)
  const inFirst = await joinedAs(bob, first)
  await second.add(bob.user)
  const inSecond = await joinedAs(bob, second)
  const local = await bob.createGroup({ groupId: id })
  await local.add(dave.user)
  const daves = await joinedAs(dave, local)
  expect(new Set([inFirst, inSecond, local].map(({ path }) => path)).size).toBe(3)
  await Promise.all([chat(first, inFirst, providers[0]!), chat(second, inSecond, providers[2]!), chat(local, daves, b)])
  // And elsewhere too: members of other providers come into the group that has another address at its own hub.
  await local.add(alice.user)
  await chat(local, await joinedAs(alice, local), b)
  await local.update()
  await inFirst.update()
  await chat(first, inFirst, providers[0]!)
  for (const [group, texts] of [
    [inFirst, 4],
    [inSecond, 2],
  ] as const)
    await clientOf(group).until('all texts', () => group.texts.length >= texts)
})

it('goes to one of two hubs that race for it, and the other one gets its group too', async () => {
  const { carol, b } = await cast()
  await carol.disconnect()
  const ids = [newId(), newId(), newId()]
  const groups = ids.flatMap((id) => [mallory, other].map((hub) => new HostileGroup(hub, id, `mimi://${hub.domain}/r/race-${++serial}`)))
  const refs: Buffer[] = []
  for (const group of groups) refs.push(refOf(await claimFor(group.hub, b, carol.user, group.roomId)))
  const codes = await Promise.all(groups.map((group, index) => group.add(b, carol.device.client, welcome([refs[index]!]))))
  expect(codes).toEqual(groups.map(() => 'received'))
  for (const id of ids) {
    const rows = await followed(b, id)
    expect(rows).toHaveLength(2)
    expect(rows.filter(({ address }) => Buffer.compare(address, id) === 0)).toHaveLength(1)
  }
})

it('is followed in one dialect: nothing signed continues entries that came in the draft, which nobody has signed', async () => {
  const { carol, b, id } = await cast()
  await carol.disconnect()
  const group = await trap(mallory, b, carol, id)
  await b.pool.query("UPDATE followed_group SET dialect = 'draft' WHERE room_id = $1", [group.roomId])
  expect(await group.say(b)).toBe('home-elsewhere')
  await b.pool.query("UPDATE followed_group SET dialect = 'profile' WHERE room_id = $1", [group.roomId])
  expect(await group.say(b)).toBe('received')
})
