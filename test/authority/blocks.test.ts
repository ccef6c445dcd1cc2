import { randomUUID } from 'node:crypto'
import { createProposal, encodeMlsMessage } from 'ts-mls'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { utf8 } from '../../examples/client/wire.js'
import { reinitOf } from '../groups/group-creation-fixture.js'
import { at, draft, refusal, submit, useStage } from '../groups/group-fixture.js'
import { addOf, localName } from './scene-fixture.js'

const stage = useStage({ IDENTIFIER_QUERY: 'exact' })
const NO_CONSENT = { status: 403, kind: 'no-consent' }

const block = (by: Client, whom: Client) => by.device.http.put(`/v1/blocks/${localName(whom)}`)
const unblock = (by: Client, whom: Client) => by.device.unblock(whom.user)
const blocks = async ({ device }: Client) =>
  (await device.http.get<{ blocks: { user: string }[] }>('/v1/blocks')).blocks.map(({ user }) => user)
const welcomes = async ({ device }: Client) =>
  (await device.http.get<{ inbox: { kind: string }[] }>('/v1/events')).inbox.filter(({ kind }) => kind === 'welcome').length

/** A Commit that adds a device, with a KeyPackage that was claimed before now. */
async function adding(group: Group, whom: Client) {
  const { bundle } = await draft(group, [await addOf(group, whom)])
  return bundle
}

describe.each(['public', 'private'] as const)('a user whom another has blocked, in a %s group,', (mode) => {
  it('adds no device of the other: not by a claim, and not with a KeyPackage that it claimed before', async () => {
    const [mallory, bob] = await stage.cast('mallory', 'bob')
    const group = await stage.group(mallory, [], { mode })
    const bundle = await adding(group, bob)
    await block(bob, mallory)
    expect(await refusal(mallory.device.claim(bob.user, 1))).toMatchObject(NO_CONSENT)
    expect(await refusal(submit(mallory, group, bundle))).toMatchObject(NO_CONSENT)
    expect(await welcomes(bob)).toBe(0)
    await unblock(bob, mallory)
    await submit(mallory, group, bundle)
    expect(await welcomes(bob)).toBe(1)
  })

  it('still commits what others have proposed, and others still add whom they may', async () => {
    const [mallory, alice, bob] = await stage.cast('mallory', 'alice', 'bob')
    const group = await stage.group(mallory, [alice], { mode })
    await block(bob, mallory)
    await at(alice, group).add(bob.user)
    expect(await welcomes(bob)).toBe(1)
    await stage.sync(mallory, bob)
    await group.update()
    await at(bob, group).send('here by a friend')
  })
})

describe('a user whom another has blocked', () => {
  it('does not bring the other in by a Proposal that somebody else commits', async () => {
    const [alice, mallory, bob] = await stage.cast('alice', 'mallory', 'bob')
    const group = await stage.group(alice, [mallory])
    const own = at(mallory, group)
    const add = await addOf(own, bob)
    await block(bob, mallory)
    const { message } = await createProposal(own.record.state, true, add, (await suite(1)).impl)
    const proposed = mallory.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(message) })
    expect(await refusal(proposed)).toMatchObject(NO_CONSENT)
  })

  it('commits the Add of the other that a third has proposed', async () => {
    const [mallory, alice, bob] = await stage.cast('mallory', 'alice', 'bob')
    const group = await stage.group(mallory, [alice])
    const own = at(alice, group)
    const { message } = await createProposal(own.record.state, true, await addOf(own, bob), (await suite(1)).impl)
    await alice.device.http.post(`${group.path}/proposals`, { proposal: encodeMlsMessage(message) })
    await block(bob, mallory)
    await stage.sync(mallory)
    await group.settle()
    expect(group.members).toContain(bob.uri)
  })

  it('begins no branch with the other, with a KeyPackage of before either, and still the successor of a group that both are in', async () => {
    const [mallory, bob] = await stage.cast('mallory', 'bob')
    const group = await stage.group(mallory, [bob])
    const claim = mallory.device.claim.bind(mallory.device)
    mallory.device.claim = async (...wanted) => {
      await unblock(bob, mallory)
      const claimed = await claim(...wanted)
      await block(bob, mallory)
      return claimed
    }
    const after = (origin: 'branch' | 'reinit', groupId: Uint8Array) =>
      mallory.beginAfter({ before: group.record, origin, groupId, users: [bob.user] })
    expect(await refusal(after('branch', utf8(randomUUID())))).toMatchObject(NO_CONSENT)
    const next = utf8(randomUUID())
    await group.commit(() => [reinitOf(group, next)])
    await after('reinit', next)
    expect(await welcomes(bob)).toBe(1)
  })

  it('asks for consent in vain, and is not told', async () => {
    const [mallory, bob] = await stage.cast('mallory', 'bob')
    const given = async () =>
      (await bob.device.http.get<{ given: { requester: string }[] }>('/v1/consents')).given.map(({ requester }) => requester)
    await block(bob, mallory)
    await mallory.device.http.post('/v1/consents', { target: bob.user })
    expect(await mallory.device.http.get('/v1/consents')).toMatchObject({ asked: [{ target: bob.user, state: 'requested' }] })
    expect(await given()).toEqual([])
    await unblock(bob, mallory)
    expect(await given()).toEqual([mallory.user])
  })

  it('has no consent either that was granted before', async () => {
    const [mallory, bob] = await stage.cast('mallory', 'bob')
    await bob.device.http.put(`/v1/consents/${localName(mallory)}`, { state: 'granted' })
    await block(bob, mallory)
    expect(await refusal(mallory.device.claim(bob.user, 1))).toMatchObject(NO_CONSENT)
  })

  it('does not find the other by name, as others do', async () => {
    const [mallory, alice, bob] = await stage.cast('mallory', 'alice', 'bob')
    const find = async ({ device }: Client) =>
      (await device.http.post<{ uris: string[] }>('/v1/identifier-queries', { domain: 'localhost', handle: localName(bob) })).uris
    expect(await find(mallory)).toEqual([bob.user])
    await block(bob, mallory)
    expect([await find(mallory), await find(alice)]).toEqual([[], [bob.user]])
  })
})

describe('the blocks of a user', () => {
  it('are for all its devices, its own, and may name anybody else', async () => {
    const [phone, tablet, alice] = await stage.cast('bob/phone', 'bob/tablet', 'alice')
    await block(phone, alice)
    await phone.device.block('mimi://elsewhere.example/u/mallory')
    await block(phone, alice)
    expect(await blocks(tablet)).toEqual(['mimi://elsewhere.example/u/mallory', alice.user].toSorted())
    expect(await blocks(alice)).toEqual([])
    await tablet.device.http.delete(`/v1/blocks/${encodeURIComponent('mimi://elsewhere.example/u/mallory')}`)
    expect(await blocks(phone)).toEqual([alice.user])
    expect(await refusal(block(phone, tablet))).toMatchObject({ status: 400 })
  })

  it('come in pages', async () => {
    const [bob] = await stage.cast('bob')
    const names = ['anna', 'berta', 'carla'].map((name) => `mimi://localhost/u/${name}`)
    for (const name of names) await bob.device.block(name)
    const first = await bob.device.http.get<{ blocks: { user: string }[]; next: string }>('/v1/blocks?limit=2')
    const rest = await bob.device.http.get<{ blocks: { user: string }[] }>(`/v1/blocks?limit=2&after=${encodeURIComponent(first.next)}`)
    expect([...first.blocks, ...rest.blocks].map(({ user }) => user)).toEqual(names)
    expect(rest).not.toHaveProperty('next')
  })
})

it('who has claimed a KeyPackage is forgotten once it is used', async () => {
  const [alice, bob] = await stage.cast('alice', 'bob')
  const group = await stage.group(alice)
  await addOf(group, bob)
  const claims = async () => {
    const { rows } = await stage.pool.query<{ claimer: string | null; used: boolean }>(
      'SELECT claimer, used FROM key_package_claim WHERE device_id = $1 AND NOT last_resort ORDER BY used',
      [await stage.deviceId(bob)],
    )
    return rows
  }
  expect(await claims()).toEqual([{ claimer: alice.user, used: false }])
  await group.add(bob.user)
  expect(await claims()).toEqual([
    { claimer: alice.user, used: false },
    { claimer: null, used: true },
  ])
})
