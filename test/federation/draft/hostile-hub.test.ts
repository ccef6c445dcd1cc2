import { describe, expect, it } from '@jest/globals'
import { decodeKeyPackage } from 'ts-mls/keyPackage.js'
import type { Client } from '../../../examples/client/client.js'
import { removed } from '../../support/world.js'
import { allHeard, draftUser, useDraftWorld } from './draft-world.js'
import type { Chat } from './peer/chat.js'
import { decodeMls, Device } from './peer/device.js'
import { bytes, decodeWhole, u16 } from './peer/codec.js'
import { readKeyMaterialResponse } from './peer/key-material.js'
import { encodeFanout, type CommitBundle, type Fanout } from './peer/room-bodies.js'
import { clientUri, roomUri } from './peer/uris.js'

// The hub of a room is a draft peer that means ill to users here. Each test ends with what must still work.

/** Numbers of RFC 9420 §17.1 and §17.2, in front of a Welcome that is an MLSMessage. */
const [MLS_1_0, WELCOME] = [1, 3]

describe('a hostile hub of the draft', () => {
  const draft = useDraftWorld()

  async function inGroup(client: Client, chat: Chat, room: string) {
    const { groupId } = chat.device.group(room)
    await client.until('joining', () => client.store.group(groupId)?.standing === 'member')
    return client.group(groupId)
  }

  /** A room at b.example with a user of it and one of the server. */
  async function roomAtB(name: string) {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom(`${name}-${bob!.device.user.split('/u/')[1]}`)
    await bob!.add(room, alice.user)
    return { alice, bob: bob!, room, group: await inGroup(alice, bob!, room) }
  }

  const notify = (room: string, ...fanouts: readonly Fanout[]) =>
    draft.b.caller.post('a.example', 'notify', room, bytes(...fanouts.map(encodeFanout)))
  const application = (message: Uint8Array): Fanout => ({ timestamp: BigInt(Date.now()), kind: 'application', message })
  const commit = ({ message }: CommitBundle): Fanout => ({ timestamp: BigInt(Date.now()), kind: 'commit', message, others: [] })
  const rowsOf = async (table: string): Promise<number> => {
    const { rows } = await draft.server.pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`)
    return rows[0]?.count ?? -1
  }

  it('is answered 201 for what it repeats, and nothing is there twice (§5.5)', async () => {
    const { bob, room, group } = await roomAtB('repeats')
    const fanout = application(await bob.device.group(room).encrypt('once'))
    const answers = await Promise.all(Array.from({ length: 5 }, () => notify(room, fanout)))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201])
    expect((await notify(room, { ...fanout, timestamp: fanout.timestamp + 1n })).status).toBe(201)
    await bob.device.group(room).receive(fanout)
    await bob.send(room, 'after')
    await allHeard(room, [group], [bob], ['once', 'after'])
  })

  it('is asked to send a Commit of a later epoch again, and both are taken in order', async () => {
    const { bob, room, group } = await roomAtB('order')
    const own = bob.device.group(room)
    const next = async () => {
      const made = await own.commit([])
      own.settle(true)
      return made
    }
    // Of which epoch a Welcome is, no provider sees: the first Commit after it says so.
    expect((await notify(room, commit(await next()))).status).toBe(201)
    const [first, second] = [await next(), await next()]
    const early = await notify(room, commit(second))
    expect(early.status).toBe(503)
    expect(Number(early.headers['retry-after'])).toBeGreaterThan(0)
    expect((await notify(room, commit(first), commit(second))).status).toBe(201)
    expect((await notify(room, commit(second))).status).toBe(201)
    const fanout = application(await own.encrypt('in order'))
    expect((await notify(room, fanout)).status).toBe(201)
    await own.receive(fanout)
    await allHeard(room, [group], [bob], ['in order'])
  })

  it('cannot give an epoch two Commits', async () => {
    const { bob, room, group } = await roomAtB('fork')
    const own = bob.device.group(room)
    const other = await own.commit([])
    own.settle(false)
    const taken = await own.commit([])
    own.settle(true)
    expect((await notify(room, commit(taken))).status).toBe(201)
    expect((await notify(room, commit(other))).status).toBe(422)
    const fanout = application(await own.encrypt('one past'))
    await notify(room, fanout)
    await own.receive(fanout)
    await allHeard(room, [group], [bob], ['one past'])
  })

  it('makes no user here a member by an external Commit that it forges', async () => {
    const { bob, room, group } = await roomAtB('forged')
    const [carol] = await draft.world.cast('carol')
    const info = await bob.device.group(room).publicInfo()
    const forged = await Device.create(carol.uri)
    const { bundle } = await forged.joinExternally(room, { ...info, pending: [] })
    expect((await notify(room, commit(bundle))).status).toBe(422)
    await bob.send(room, 'only us')
    await allHeard(room, [group], [bob], ['only us'])
    const { groups } = await carol.device.http.get<{ groups: unknown[] }>('/v1/groups')
    expect(groups).toEqual([])
    expect(group.members).not.toContain(carol.uri)
  })

  it('makes no user here a member by an external Commit into a room that nobody here has joined, and leaves no row', async () => {
    const [carol] = await draft.world.cast('carol')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom(`lonely-${bob!.device.user.split('/u/')[1]}`)
    const forged = await Device.create(carol.uri)
    const { bundle } = await forged.joinExternally(room, { ...(await bob!.device.group(room).publicInfo()), pending: [] })
    const before = [await rowsOf('groups'), await rowsOf('group_entry').catch(() => 0)]
    for (let index = 0; index < 20; index++) {
      const { status } = await notify(room, { ...commit(bundle), timestamp: BigInt(index) })
      expect([201, 404, 422]).toContain(status)
    }
    expect([await rowsOf('groups'), await rowsOf('group_entry').catch(() => 0)]).toEqual(before)
    const { groups } = await carol.device.http.get<{ groups: unknown[] }>('/v1/groups')
    expect(groups).toEqual([])
  })

  it('brings nobody back by a Welcome or Commit that it repeats after the removal', async () => {
    const [alice] = await draft.world.cast('alice')
    const [bob] = await draftUser(draft.b, 'bob')
    const room = await bob!.createRoom(`again-${bob!.device.user.split('/u/')[1]}`)
    const sent: Uint8Array[] = []
    const post = draft.b.caller.post.bind(draft.b.caller)
    draft.b.caller.post = (to, endpoint, argument, body, wrong) => {
      if (endpoint === 'notify' && argument === room) sent.push(body)
      return post(to, endpoint, argument, body, wrong)
    }
    try {
      await bob!.add(room, alice.user)
      const group = await inGroup(alice, bob!, room)
      await bob!.removeUser(room, alice.user)
      await removed(alice, group.record.groupId)
      for (const body of [...sent]) expect((await post('a.example', 'notify', room, body)).status).toBe(201)
      const { groups } = await alice.device.http.get<{ groups: unknown[] }>('/v1/groups')
      expect(groups).toEqual([])
    } finally {
      draft.b.caller.post = post
    }
  })

  /** A Welcome by this KeyPackage into another room of the hub than it was claimed for. */
  async function welcomeElsewhere(bob: Chat, keyPackage: Uint8Array): Promise<number> {
    const other = await bob.createRoom(`other-${bob.device.user.split('/u/')[1]}`)
    const add = { proposalType: 'add' as const, add: { keyPackage: decodeMls(keyPackage, decodeKeyPackage) } }
    const bundle = await bob.device.group(other).commit([add])
    bob.device.group(other).settle(false)
    const message = bytes(u16(MLS_1_0), u16(WELCOME), bundle.welcome!)
    return (await notify(other, { timestamp: BigInt(Date.now()), kind: 'welcome', message, tree: bundle.tree })).status
  }

  it('welcomes nobody by a KeyPackage that was handed out for nobody here', async () => {
    const { bob } = await roomAtB('invented')
    const stranger = await Device.create(clientUri('a.example', 'nobody', 'phone'))
    expect(await welcomeElsewhere(bob, (await stranger.newKeyPackage()).keyPackage)).toBe(422)
  })

  it('welcomes nobody by a KeyPackage that was handed out for another room', async () => {
    const { bob, room } = await roomAtB('refs')
    const [carol] = await draft.world.cast('carol')
    const { clients } = await bob.claim(room, carol.user)
    expect(await welcomeElsewhere(bob, clients[0]!.keyPackage!)).toBe(422)
    const { groups } = await carol.device.http.get<{ groups: unknown[] }>('/v1/groups')
    expect(groups.length).toBe(0)
  })

  it('gets no other KeyPackages by a request that it has passed on, until one of them was used', async () => {
    const [carol] = await draft.world.cast('carol')
    const [bob] = await draftUser(draft.b, 'bob')
    const [dave] = await draftUser(draft.c, 'dave')
    // c.example has shown the key of dave.
    await dave!.claim(await dave!.createRoom(`own-${dave!.device.user.split('/u/')[1]}`), carol.user)
    const room = await bob!.createRoom(`passed-${bob!.device.user.split('/u/')[1]}`)
    const passed = await dave!.device.keyMaterialRequest(carol.user, room)
    const repeat = async () => {
      const { status, body } = await draft.b.caller.post('a.example', 'keyMaterial', carol.user, passed)
      expect(status).toBe(200)
      return decodeWhole(body, readKeyMaterialResponse).clients.map(({ keyPackage }) => Buffer.from(keyPackage ?? []).toString('hex'))
    }
    const [first, ...others] = [await repeat(), ...(await Promise.all([repeat(), repeat(), repeat()]))]
    expect(first[0]).not.toBe('')
    expect(others).toEqual([first, first, first])
    const add = { proposalType: 'add' as const, add: { keyPackage: decodeMls(Buffer.from(first[0]!, 'hex'), decodeKeyPackage) } }
    const bundle = await bob!.device.group(room).commit([add])
    bob!.device.group(room).settle(true)
    const message = bytes(u16(MLS_1_0), u16(WELCOME), bundle.welcome!)
    expect((await notify(room, { timestamp: 1n, kind: 'welcome', message, tree: bundle.tree })).status).toBe(201)
    expect(await repeat()).not.toEqual(first)
  })

  it('says nothing in rooms of other hubs, in rooms here and in groups of another name', async () => {
    const { bob, room, group } = await roomAtB('places')
    const fanout = application(await bob.device.group(room).encrypt('elsewhere'))
    for (const uri of [roomUri('c.example', 'any'), roomUri('a.example', 'any')])
      expect([404, 409]).toContain((await notify(uri, fanout)).status)
    const second = await bob.createRoom(`second-${bob.device.user.split('/u/')[1]}`)
    const foreign = application(await bob.device.group(second).encrypt('of another group'))
    expect((await notify(room, foreign)).status).toBe(422)
    await bob.send(room, 'here')
    await allHeard(room, [group], [bob], ['here'])
  })

  it('is refused what is malformed or large, and the server goes on', async () => {
    const { bob, room, group } = await roomAtB('malformed')
    for (const body of [
      new Uint8Array(),
      Uint8Array.of(1),
      new Uint8Array(4 * 1024 * 1024),
      bytes(new Uint8Array(8), new Uint8Array(64).fill(0xff)),
    ]) {
      const { status } = await draft.b.caller.post('a.example', 'notify', room, body)
      expect([400, 413, 422]).toContain(status)
    }
    await bob.send(room, 'still here')
    await allHeard(room, [group], [bob], ['still here'])
  })

  it('hands no KeyPackages of users here to a room of another hub', async () => {
    const [carol] = await draft.world.cast('carol')
    const [bob] = await draftUser(draft.b, 'bob')
    for (const room of [roomUri('c.example', 'x'), roomUri('a.example', 'x')]) {
      const body = await bob!.device.keyMaterialRequest(carol.user, room)
      const answer = await draft.b.caller.post('a.example', 'keyMaterial', carol.user, body)
      const given = answer.status === 200 ? decodeWhole(answer.body, readKeyMaterialResponse).clients : []
      expect(given).toEqual([])
    }
    const mallory = await Device.create(clientUri('c.example', 'mallory', 'phone'))
    const body = await mallory.keyMaterialRequest(carol.user, roomUri('b.example', 'x'))
    const other = await draft.b.caller.post('a.example', 'keyMaterial', 'mimi://a.example/u/other', body)
    expect(other.status).toBeGreaterThanOrEqual(400)
  })
})
