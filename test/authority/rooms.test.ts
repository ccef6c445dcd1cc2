import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { at, refusal, useStage } from '../groups/group-fixture.js'
import { POLICY, RESERVED, current, report, reset, succeed, undo, view, waitGrace } from './rooms-fixture.js'
import { localName } from './scene-fixture.js'

const stage = useStage()

describe.each(['public', 'private'] as const)('a room whose %s group was reset', (mode) => {
  it('is not taken by who is quickest', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [mallory], { mode, policy: POLICY })
    await reset(alice, group)
    const refused = await refusal(succeed(mallory, group))
    expect(refused).toMatchObject(RESERVED)
    expect(refused.document['reserved_until']).toBeGreaterThan(Date.now() / 1_000)
    const next = await succeed(alice, group)
    expect(await current(alice, await view(alice, next))).toEqual(next.record.groupId)
    expect((await view(alice, next)).successor_of).toEqual(group.record.groupId)
  })

  it('has one successor if all its members try at once, and it is one of the admins who wins', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob, mallory], { mode, policy: POLICY })
    await alice.device.http.put(`${group.path}/admins/${localName(bob)}`)
    await reset(alice, group)
    const tries = await Promise.allSettled([mallory, alice, bob, mallory, alice, bob].map((client) => succeed(client, group)))
    expect(tries.map(({ status }, index) => status === 'fulfilled' && index % 3 !== 0).filter(Boolean)).toHaveLength(1)
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('is not for an admin who has reset it and was dismissed since', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [mallory], { mode, policy: POLICY })
    await alice.device.http.put(`${group.path}/admins/${localName(mallory)}`)
    await reset(mallory, group)
    await alice.device.http.delete(`${group.path}/admins/${localName(mallory)}`)
    expect(await refusal(succeed(mallory, group))).toMatchObject(RESERVED)
    await succeed(alice, group)
  })

  it('gets its successor from any member after the grace time, but not from one who was banned', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob, mallory], { mode, policy: POLICY })
    await alice.device.http.put(`${group.path}/bans/${localName(mallory)}`)
    await reset(alice, group)
    await waitGrace(stage, group)
    expect(await refusal(succeed(mallory, group))).toMatchObject({ status: 403, kind: 'policy' })
    await succeed(bob, group)
  })

  it('is taken back from a member who has succeeded it alone, by an admin who is not let in', async () => {
    const [alice, mallory] = await stage.cast('alice', 'mallory')
    const group = await stage.group(alice, [mallory], { mode, policy: POLICY })
    await reset(alice, group)
    await waitGrace(stage, group)
    const stolen = await succeed(mallory, group)
    expect(await refusal(reset(mallory, stolen))).toMatchObject({ status: 403 })
    expect((await view(alice, stolen)).frozen).toBeUndefined()
    await alice.device.http.put(`${stolen.path}/bans/${localName(mallory)}`)
    await reset(alice, stolen)
    expect(await refusal(succeed(mallory, stolen))).toMatchObject({ status: 403, kind: 'policy' })
    const next = await succeed(alice, stolen)
    expect(await current(alice, await view(alice, next))).toEqual(next.record.groupId)
    expect(await refusal(current(mallory, await view(alice, next)).then(() => at(mallory, stolen).update()))).toMatchObject({
      kind: 'group-frozen',
      document: { successor: next.record.groupId },
    })
  })

  it('does not show its next group to a user who was thrown out of the one before, until it is in again', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob, mallory], { mode })
    const room = await view(mallory, group)
    await group.remove(mallory.uri)
    await reset(alice, group)
    const next = await succeed(alice, group)
    expect(await refusal(current(mallory, room))).toMatchObject({ status: 404, kind: 'not-found' })
    expect(await current(bob, room)).toEqual(next.record.groupId)
    await next.add(mallory.user)
    expect(await current(mallory, room)).toEqual(next.record.groupId)
  })

  it('goes on where it stood if an admin takes the reset back in time, and the successor stops', async () => {
    const [alice, bob, carol, dave] = await stage.cast('alice', 'bob', 'carol', 'dave')
    const group = await stage.group(alice, [bob, carol, dave], { mode, policy: { reports_to_reset: 1 } })
    await group.update()
    for (const client of [bob, carol, dave]) await report(client, group, 2)
    await reset(bob, group)
    const hijacked = await succeed(bob, group)
    expect(await refusal(undo(bob, group))).toMatchObject({ status: 403, kind: 'forbidden' })
    await undo(alice, group)
    expect(await view(alice, group)).not.toHaveProperty('frozen')
    expect(await current(alice, await view(alice, group))).toEqual(group.record.groupId)
    await group.update()
    expect(await refusal(hijacked.update())).toMatchObject({ kind: 'group-frozen', document: { successor: group.record.groupId } })
    expect(await refusal(succeed(bob, hijacked))).toMatchObject({ kind: 'successor-taken' })
    expect(await refusal(undo(alice, group))).toMatchObject({ status: 409, kind: 'reset-final' })
  })

  it('lets a device go when it goes on that was revoked while it stood: its keys post nothing', async () => {
    const [alice, bob, laptop] = await stage.cast('alice', 'bob', 'bob/laptop')
    const group = await stage.group(alice, [bob, laptop], { mode })
    await reset(alice, group)
    await bob.device.revoke('laptop')
    await undo(alice, group)
    expect(await view(alice, group)).toMatchObject({ leaving: [laptop.uri] })
  })

  it('does not go back by the will of an admin who is dismissed in its successor', async () => {
    const [alice, bob, mallory] = await stage.cast('alice', 'bob', 'mallory')
    const group = await stage.group(alice, [bob, mallory], { mode })
    for (const client of [bob, mallory]) await alice.device.http.put(`${group.path}/admins/${localName(client)}`)
    await reset(alice, group)
    const next = await succeed(alice, group)
    await alice.device.http.delete(`${next.path}/admins/${localName(mallory)}`)
    expect(await refusal(undo(mallory, group))).toMatchObject({ status: 403, kind: 'forbidden' })
    expect(await view(alice, next)).not.toHaveProperty('frozen')
    await undo(bob, group)
  })

  it('does not go back to a group whose time is over, or whose successor has been replaced', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const group = await stage.group(alice, [bob], { mode })
    await reset(alice, group)
    const next = await succeed(alice, group)
    await reset(alice, next)
    await succeed(alice, next)
    expect(await refusal(undo(alice, group))).toMatchObject({ status: 409, kind: 'reset-final' })
    const other = await stage.group(alice, [bob], { mode })
    await reset(alice, other)
    await waitGrace(stage, other)
    expect(await refusal(undo(alice, other))).toMatchObject({ status: 409, kind: 'reset-final' })
  })

  it('keeps out a single device that was thrown out of the group before', async () => {
    const [alice, bob, laptop] = await stage.cast('alice', 'bob', 'bob/laptop')
    const group = await stage.group(alice, [bob, laptop], { mode, policy: { external_join: 'open' } })
    await group.remove(laptop.uri)
    await reset(alice, group)
    let next = await succeed(alice, group)
    const join = (client: Client) => client.joinExternally({ groupId: next.record.groupId, mode, suite: 1 })
    expect(await refusal(join(laptop))).toMatchObject({ status: 403, kind: 'policy' })
    await reset(alice, next)
    next = await succeed(alice, next)
    expect(await refusal(join(laptop))).toMatchObject({ status: 403, kind: 'policy' })
    await join(bob)
    await stage.sync(alice)
    await at(alice, next).add(laptop.user)
  })
})
