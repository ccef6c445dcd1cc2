import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { utf8 } from '../../examples/client/wire.js'
import { readFloorMoves } from '../../src/delivery/retention/retention.repository.js'
import { Retention } from '../../src/delivery/retention/retention.job.js'
import { at, refusal, useStage } from '../groups/group-fixture.js'
import { localName } from './scene-fixture.js'

const stage = useStage()

interface Events {
  entries: { seq: number }[]
  inbox: { kind: string }[]
}
const waits = async ({ device }: Client) => {
  const { entries, inbox } = await device.http.get<Events>('/v1/events')
  return { entries: entries.length, inbox: inbox.map(({ kind }) => kind).filter((kind) => kind !== 'key-packages.low') }
}
const WELCOME_ALONE = { entries: 0, inbox: ['welcome'] }
const NOTHING = { entries: 0, inbox: [] }
const ask = ({ device }: Client) => device.askMe('ask')
const invited = async ({ device }: Client) =>
  (await device.http.get<{ invitations: { clients: string[] }[] }>('/v1/invitations')).invitations.map(({ clients }) => clients)
const shown = async ({ device }: Client, group: Group) => (await device.http.get<{ delivery: string }>(group.path)).delivery
const logOf = ({ device }: Client, group: Group) => device.http.get(`${group.path}/log`)
const invitationPath = (group: Group) => group.path.replace('groups', 'invitations')
const accept = ({ device }: Client, group: Group) => device.accept(group.record.groupId)
const decline = ({ device }: Client, group: Group) => device.http.delete(invitationPath(group))

/** bob wants to be asked; mallory, of whom he knows nothing, has put him into a group and pushes. */
async function pushed(mode: 'public' | 'private') {
  const [mallory, bob] = await stage.cast('mallory', 'bob')
  await ask(bob)
  const group = await mallory.createGroup({ groupId: utf8(randomUUID()), mode })
  await group.add(bob.user)
  await group.send('buy this')
  return { mallory, bob, group }
}
async function runRetention(group: Group, reader: Client): Promise<number> {
  await stage.pool.query('UPDATE member SET acked = $2 WHERE device_id = $1', [
    await stage.deviceId(reader),
    (await stage.log(group)).length,
  ])
  await stage.server.app.get(Retention, { strict: false }).run(new Date(Date.now() + 2 * 86_400_000))
  return (await stage.log(group)).filter((entry) => entry.startsWith('a')).length
}

describe.each(['public', 'private'] as const)('a %s group of strangers, to a user who wants to be asked', (mode) => {
  it('waits: its Welcome is there, its log is not, also when the Welcome is acknowledged, and nothing is kept for the user', async () => {
    const { mallory, bob, group } = await pushed(mode)
    expect(await waits(bob)).toEqual(WELCOME_ALONE)
    expect(await invited(bob)).toEqual([[bob.uri]])
    expect(await shown(bob, group)).toBe('invited')
    expect(await refusal(logOf(bob, group))).toMatchObject({ status: 409, kind: 'not-delivered' })
    await stage.pool.query(`DELETE FROM inbox WHERE device_id = $1 AND kind = 'welcome'`, [await stage.deviceId(bob)])
    expect(await waits(bob)).toEqual(NOTHING)
    expect(await runRetention(group, mallory)).toBe(0)
  })

  it('is delivered from its first entry on when the user accepts it', async () => {
    const { bob, group } = await pushed(mode)
    await accept(bob, group)
    await accept(bob, group)
    await stage.sync(bob)
    expect((await waits(bob)).entries).toBe(1)
    expect(at(bob, group).texts).toEqual(['buy this'])
    expect([await invited(bob), await shown(bob, group)]).toEqual([[], 'all'])
  })

  it('is left when the user declines it, and waits again when the user is added again', async () => {
    const { mallory, bob, group } = await pushed(mode)
    await decline(bob, group)
    expect([await waits(bob), await invited(bob)]).toEqual([NOTHING, []])
    expect(await mallory.device.http.get(group.path)).toMatchObject({ leaving: [bob.uri] })
    await stage.sync(mallory)
    await group.remove(bob.uri).catch(() => group.settle())
    await group.add(bob.user)
    await group.send('and again')
    expect(await waits(bob)).toEqual(WELCOME_ALONE)
    expect(await invited(bob)).toEqual([[bob.uri]])
  })
})

describe('a user who wants to be asked', () => {
  it('decides for all devices, and for those that come later', async () => {
    const [mallory, phone, tablet, laptop] = await stage.cast('mallory', 'bob/phone', 'bob/tablet', 'bob/laptop')
    await ask(phone)
    const packages = (await mallory.device.claim(phone.user, 1)).key_packages
    expect(packages).toHaveLength(3)
    const group = await mallory.createGroup({ groupId: utf8(randomUUID()) })
    await group.add(phone.user)
    await group.remove(laptop.uri)
    expect(await invited(tablet)).toEqual([[phone.uri, tablet.uri].toSorted()])
    await accept(tablet, group)
    expect([await shown(phone, group), await shown(tablet, group)]).toEqual(['all', 'all'])
    await group.add(laptop.user)
    expect(await shown(laptop, group)).toBe('all')
  })

  it('is asked again after it has left what it had accepted', async () => {
    const { mallory, bob, group } = await pushed('public')
    await accept(bob, group)
    await stage.sync(bob)
    await at(bob, group).leave()
    await stage.sync(mallory)
    await group.settle()
    await group.add(bob.user)
    expect([await shown(bob, group), (await waits(bob)).inbox]).toEqual(['invited', ['welcome']])
  })

  it('holds no handshakes back either, until it accepts', async () => {
    const { bob, group } = await pushed('private')
    const hour = 3_600_000
    const ages = { now: new Date(Date.now() + 24 * hour), application: hour, handshake: hour, idempotency: hour }
    const floor = async () => (await readFloorMoves(stage.pool, [await stage.gid(group)], ages)).map(({ floorSeq }) => floorSeq)
    expect(await floor()).toEqual([2n])
    await accept(bob, group)
    expect(await floor()).toEqual([1n])
  })

  it('is not asked of those it has consented to, of its own devices, of what it has joined by itself, and of what it was in before', async () => {
    const [alice, carol, phone, tablet] = await stage.cast('alice', 'carol', 'bob/phone', 'bob/tablet')
    const before = await stage.group(carol, [phone, tablet])
    await before.remove(tablet.uri)
    const open = await stage.group(carol, [], { policy: { external_join: 'open' } })
    await ask(phone)
    await phone.device.http.put(`/v1/consents/${localName(alice)}`, { state: 'granted' })
    const ofAlice = await stage.group(alice, [phone])
    const own = await stage.group(phone, [tablet])
    await phone.joinExternally({ groupId: open.record.groupId, mode: 'public', suite: 1 })
    await before.add(phone.user)
    const all = await Promise.all([shown(phone, ofAlice), shown(tablet, own), shown(phone, open), shown(tablet, before)])
    expect(all).toEqual(['all', 'all', 'all', 'all'])
    expect(await invited(phone)).toEqual([])
  })

  it('is not asked again for the successor of a group that it is in, and still not answered for by one that waits', async () => {
    const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
    const group = await stage.group(alice, [bob])
    await ask(bob)
    await ask(carol)
    await group.add(carol.user)
    await alice.device.http.post(`${group.path}/reset`)
    const next = await alice.createGroup({ groupId: utf8(randomUUID()), successorOf: group.record.groupId })
    await next.add(bob.user)
    await next.add(carol.user)
    expect([await shown(bob, next), await shown(carol, next)]).toEqual(['all', 'invited'])
  })

  it('accepts by choosing how a device wants the group, and may block it instead', async () => {
    const [mallory, bob] = await stage.cast('mallory', 'bob')
    await ask(bob)
    const [quiet, unwanted] = [await stage.group(mallory, [bob]), await stage.group(mallory, [bob])]
    await bob.device.http.put(`${quiet.path}/delivery`, { delivery: 'muted' })
    await bob.device.http.put(`${unwanted.path}/delivery`, { delivery: 'blocked' })
    expect([await shown(bob, quiet), await shown(bob, unwanted), await invited(bob)]).toEqual(['muted', 'blocked', []])
    await logOf(bob, quiet)
    await bob.device.http.put(`${unwanted.path}/delivery`, { delivery: 'all' })
    expect(await shown(bob, unwanted)).toBe('all')
  })

  it('gets no notice of what happens in a group that waits, but of what it has to do once it accepts', async () => {
    const { bob, group } = await pushed('public')
    await stage.pool.query(`UPDATE welcome SET expires_at = now() WHERE gid = $1`, [await stage.gid(group)])
    await stage.server.app.get(Retention, { strict: false }).run()
    expect(await waits(bob)).toEqual(NOTHING)
    await accept(bob, group)
    expect(await waits(bob)).toEqual({ entries: 0, inbox: ['resync'] })
  })

  it('is one who said so: the others get every group, and nobody accepts for another', async () => {
    const { mallory, bob, group } = await pushed('public')
    const [carol] = await stage.cast('carol')
    await group.add(carol.user)
    expect(await shown(carol, group)).toBe('all')
    expect(await refusal(accept((await stage.cast('dave'))[0], group))).toMatchObject({ status: 404 })
    await accept(mallory, group)
    expect(await shown(bob, group)).toBe('invited')
    expect(await bob.device.http.get('/v1/me/invitations')).toEqual({ invitations: 'ask' })
    expect(await carol.device.http.get('/v1/me/invitations')).toEqual({ invitations: 'open' })
    await bob.device.askMe('open')
    expect(await shown(await stage.group(mallory, [bob]).then(() => bob), group)).toBe('invited')
  })
})
