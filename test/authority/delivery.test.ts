import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { Group } from '../../examples/client/group.js'
import { Retention } from '../../src/delivery/retention/retention.job.js'
import { at, refusal, useStage } from '../groups/group-fixture.js'

const stage = useStage()

interface Events {
  entries: { seq: number }[]
  inbox: { id: number; kind: string }[]
}
interface Logged {
  entries: { seq: number; kind: string }[]
  head_seq: number
}
const choose = (client: Client, group: Group, delivery: 'all' | 'muted' | 'blocked') =>
  new Group(client.device, group.record).deliver(delivery)
const polled = ({ device }: Client) => device.http.get<Events>('/v1/events')
const logged = ({ device }: Client, group: Group) => device.http.get<Logged>(`${group.path}/log`)
const shown = async ({ device }: Client, group: Group) => (await device.http.get<{ delivery?: string }>(group.path)).delivery
const waits = async (client: Client) => {
  const { entries, inbox } = await polled(client)
  return { entries: entries.map(({ seq }) => seq), inbox: inbox.map(({ kind }) => kind).filter((kind) => kind !== 'key-packages.low') }
}
const NOTHING = { entries: [], inbox: [] }

/** bob is in a group of alice's, has read all of it, and has chosen. */
async function chosen(delivery: 'muted' | 'blocked', mode: 'public' | 'private' = 'public') {
  const [alice, bob] = await stage.cast('alice', 'bob')
  const group = await stage.group(alice, [bob], { mode })
  await group.send('before')
  const { head_seq: head } = await logged(bob, group)
  await stage.pool.query('UPDATE member SET acked = $2 WHERE device_id = $1', [await stage.deviceId(bob), head])
  await choose(bob, group, delivery)
  return { alice, bob, group, head }
}
async function retire(alice: Client, group: Group): Promise<void> {
  const read = (await stage.log(group)).length
  await stage.pool.query('UPDATE member SET acked = $2 WHERE device_id = $1', [await stage.deviceId(alice), read])
  await stage.server.app.get(Retention, { strict: false }).run(new Date(Date.now() + 2 * 86_400_000))
}
const messages = async (group: Group) => (await stage.log(group)).filter((entry) => entry.startsWith('a')).length

describe.each(['public', 'private'] as const)('a device that has blocked a %s group', (mode) => {
  it('is sent and shown nothing of it, and holds nothing back', async () => {
    const { alice, bob, group } = await chosen('blocked', mode)
    await group.send('behind the block')
    await group.update()
    expect(await waits(bob)).toEqual(NOTHING)
    expect(await refusal(logged(bob, group))).toMatchObject({ status: 409, kind: 'not-delivered' })
    await retire(alice, group)
    expect(await messages(group)).toBe(0)
  })

  it('gets no Welcome when it is removed and added again, no matter who adds it', async () => {
    const { bob, group } = await chosen('blocked', mode)
    await group.remove(bob.uri)
    await group.add(bob.user)
    await group.send('back in')
    expect(await waits(bob)).toEqual(NOTHING)
    expect(await refusal(logged(bob, group))).toMatchObject({ kind: 'not-delivered' })
  })

  it('gets no Welcome of a successor either', async () => {
    const { alice, bob, group } = await chosen('blocked', mode)
    await alice.device.http.post(`${group.path}/reset`)
    const next = await alice.createGroup({ groupId: Buffer.from(`next ${bob.user}`), mode, successorOf: group.record.groupId })
    await next.add(bob.user)
    await next.send('and on')
    expect(await waits(bob)).toEqual(NOTHING)
    expect(await shown(bob, next)).toBe('blocked')
  })

  it('is sent what came since, from where it was, when it takes that back', async () => {
    const { bob, group, head } = await chosen('blocked', mode)
    await group.send('meanwhile')
    await choose(bob, group, 'all')
    expect(await waits(bob)).toEqual({ entries: [head + 1], inbox: [] })
    await stage.sync(bob)
    expect(at(bob, group).texts.at(-1)).toBe('meanwhile')
  })
})

describe('a device that has blocked a group', () => {
  it('learns that it has to join again when it takes that back and its Welcome is gone: of before the block, or from within it', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await alice.createGroup({ groupId: Buffer.from(`unread ${bob.user}`), policy: { external_join: 'same-user' } })
    await group.add(bob.user)
    expect((await waits(bob)).inbox).toEqual(['welcome'])
    await choose(bob, group, 'blocked')
    expect(await waits(bob)).toEqual(NOTHING)
    await choose(bob, group, 'all')
    expect(await waits(bob)).toEqual({ entries: [], inbox: ['resync'] })
    await choose(bob, group, 'blocked')
    await group.remove(bob.uri)
    await group.add(bob.user)
    await choose(bob, group, 'muted')
    expect((await waits(bob)).inbox).toEqual(['resync'])
    const back = await bob.joinExternally({ groupId: group.record.groupId, mode: 'public', suite: 1, resync: true })
    expect(back.members).toContain(bob.uri)
    expect(await shown(bob, group)).toBe('muted')
  })

  it('does not decide for the user’s other devices, nor for other groups', async () => {
    const [alice, phone, tablet] = await stage.cast('alice', 'bob/phone', 'bob/tablet')
    const group = await stage.group(alice, [phone, tablet])
    const other = await stage.group(alice, [phone])
    await choose(phone, group, 'blocked')
    await group.send('to the tablet')
    await other.send('to both')
    expect(Math.max(...(await waits(tablet)).entries)).toBe((await stage.log(group)).length)
    expect(Math.max(...(await waits(phone)).entries)).toBe((await stage.log(other)).length)
  })

  it('may leave the group for good', async () => {
    const { bob, group, alice } = await chosen('blocked')
    await at(bob, group).leave()
    await stage.sync(alice)
    await group.settle()
    expect(group.members).toEqual([alice.uri])
  })
})

describe.each(['muted', 'blocked'] as const)('a group that a device has %s', (delivery) => {
  it('shows that to nobody else, in nothing that can be asked of it', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob])
    const asked = async () => {
      const places = ['', '/log', '/policy', '/group-info', '/sender-keys'].map((place) => alice.device.http.get(group.path + place))
      return [...(await Promise.all(places)), await waits(alice)]
    }
    const before = await asked()
    await choose(bob, group, delivery)
    expect(await shown(bob, group)).toBe(delivery)
    expect(await asked()).toEqual(before)
  })
})

describe('a device that has muted a group', () => {
  it('is sent nothing of its log, holds nothing back, and reads it when it wants to', async () => {
    const { alice, bob, group, head } = await chosen('muted')
    await group.send('quietly')
    await group.update()
    expect(await waits(bob)).toEqual(NOTHING)
    expect((await logged(bob, group)).head_seq).toBe(head + 2)
    await stage.sync(bob)
    expect(at(bob, group).texts.at(-1)).toBe('quietly')
    await at(bob, group).send('I am still here')
    await retire(alice, group)
    expect(await messages(group)).toBe(0)
  })

  it('acknowledges what it has read by itself, and is not sent that again', async () => {
    const { bob, group, head } = await chosen('muted')
    await group.send('read')
    await bob.device.http.post('/v1/events/acks', { acks: [{ group_id: group.record.groupId, incarnation: 1, seq: head + 1 }] })
    await group.send('unread')
    await choose(bob, group, 'all')
    expect(await waits(bob)).toEqual({ entries: [head + 2], inbox: [] })
  })

  it('finds in the group and in the list what it has chosen', async () => {
    const { alice, bob, group } = await chosen('muted')
    expect(await shown(bob, group)).toBe('muted')
    expect(await shown(alice, group)).toBe('all')
    expect(await bob.device.http.get('/v1/groups')).toMatchObject({ groups: [{ delivery: 'muted' }] })
  })
})
