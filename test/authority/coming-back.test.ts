import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { joinExternally } from '../../examples/client/joining.js'
import { at, refusal, useStage } from '../groups/group-fixture.js'
import { StoredList } from '../identity/lists-fixture.js'

const stage = useStage()
stage.identity = false
const ADMINS = { add_members: 'admins', remove_members: 'admins' } as const

async function join(client: Client, group: Group, resync = false): Promise<void> {
  const { groupId, mode, suite } = group.record
  client.store.put(await joinExternally(client.device, { groupId, mode, suite, resync }))
}

describe.each(['public', 'private'] as const)('a device that an admin removed from a %s group', (mode) => {
  it('does not come back by itself while its user has another one in, which can bring a third', async () => {
    const [alice, phone, tablet, laptop] = await stage.cast('alice', 'carol/phone', 'carol/tablet', 'carol/laptop')
    const group = await stage.group(alice, [phone, tablet], { mode, policy: { ...ADMINS, external_join: 'same-user' } })
    await stage.sync(tablet, laptop)
    await at(tablet, group).remove(laptop.uri)
    await stage.sync(alice)
    await group.remove(phone.uri)
    await stage.sync(phone, tablet, laptop)
    expect(await refusal(join(phone, group))).toMatchObject({ status: 403, kind: 'policy' })
    const list = await StoredList.begin(stage.pool, tablet)
    await list.certify(laptop, await list.certify(tablet))
    await join(laptop, group)
    await stage.sync(alice, tablet)
    expect(group.members).toEqual(expect.arrayContaining([alice.uri, tablet.uri, laptop.uri]))
    expect(group.members).not.toContain(phone.uri)
  })

  it('comes back by an invitation, and may then join by itself again', async () => {
    const [alice, phone, tablet] = await stage.cast('alice', 'carol/phone', 'carol/tablet')
    const group = await stage.group(alice, [phone, tablet], { mode, policy: { external_join: 'same-user' } })
    await group.remove(phone.uri)
    await stage.sync(phone, tablet)
    await group.add(phone.user)
    await stage.sync(phone, tablet)
    expect(at(phone, group).record.standing).toBe('member')
    await join(phone, group, true)
    await stage.sync(alice)
    expect(group.members).toContain(phone.uri)
  })
})

/** A group that joins are open to, with one of two devices of a user in it: it has removed the other. */
async function alone(admin: Client, phone: Client, tablet: Client, ...others: Client[]): Promise<Group> {
  const group = await stage.group(admin, [phone, tablet, ...others], { policy: { ...ADMINS, external_join: 'open' } })
  await at(phone, group).remove(tablet.uri)
  await stage.sync(admin, tablet, ...others)
  return group
}

describe('a user who revokes the device that is removed', () => {
  it('does not keep the way open for another device by that', async () => {
    const [alice, phone, tablet] = await stage.cast('alice', 'mallory/phone', 'mallory/tablet')
    const group = await alone(alice, phone, tablet)
    await tablet.device.revoke('phone')
    // By its own Remove: the admin has not seen the one that the server proposes.
    await group.remove(phone.uri)
    expect(await refusal(join(tablet, group))).toMatchObject({ status: 403, kind: 'policy' })
    expect(group.members).toEqual([alice.uri])
  })

  it('is let go by a member who may not throw out, and may come back', async () => {
    const [alice, bob, phone, tablet] = await stage.cast('alice', 'bob', 'mallory/phone', 'mallory/tablet')
    const group = await alone(alice, phone, tablet, bob)
    await tablet.device.revoke('phone')
    await stage.sync(bob)
    await at(bob, group).update()
    await join(tablet, group)
    await stage.sync(alice)
    expect(group.members).toEqual(expect.arrayContaining([alice.uri, bob.uri, tablet.uri]))
  })
})
