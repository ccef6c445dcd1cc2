import { describe, expect, it } from '@jest/globals'
import { active } from '../../../examples/client/identity/list.js'
import { safetyNumber } from '../../../examples/client/identity/safety-number.js'
import { agreed, at, heard, joined, MODES_AND_SUITES, removed, useWorld } from '../../support/world.js'

const world = useWorld()

describe.each(MODES_AND_SUITES)('in %s groups of suite %i', (mode, suite) => {
  it('users with identities talk, with two devices of one of them', async () => {
    const [alice, laptop, bob] = await world.cast('alice/phone', 'alice/laptop', 'bob')
    const group = await world.group(alice, [laptop, bob], { mode, suite })
    expect(group.record.certified).toBe(true)
    await group.send('one')
    await at(bob, group).send('two')
    await at(laptop, group).send('three')
    await heard([alice, laptop, bob], group, ['one', 'two', 'three'])
    for (const client of [alice, laptop, bob]) expect(at(client, group).record).toMatchObject({ quarantine: [], certified: true })
    await at(bob, group).update()
    await at(laptop, group).update()
    await agreed([alice, bob, laptop], at(laptop, group))
  })
})

describe('a device list', () => {
  it('has each device of its user, by the first of them, and all see the same', async () => {
    const [phone, laptop, tablet, bob] = await world.cast('alice/phone', 'alice/laptop', 'alice/tablet', 'bob')
    await laptop.device.identities.of(alice(phone), { fresh: true })
    const seen = await bob.device.identities.of(alice(phone))
    expect(active(seen!.list).map(({ subject, signer }) => [subject.split('/').at(-1), signer])).toEqual([
      ['phone', 1],
      ['laptop', 2],
      ['tablet', 2],
    ])
    expect(tablet.device.own.kept.list.identity).toEqual(seen!.list.identity)
    // The laptop was enrolled before the tablet was: its user looks at that.
    expect(laptop.device.own.unseen().map(({ subject }) => subject)).toEqual([tablet.uri])
    const two = [phone, bob].map((client) => ({ user: client.user, identity: client.device.own.kept.list.identity }))
    expect(safetyNumber(two[0]!, two[1]!)).toMatch(/^\d{5}/u)
  })

  it('loses a device that another one revokes: contacts take it out of their groups', async () => {
    const [phone, laptop, bob] = await world.cast('alice/phone', 'alice/laptop', 'bob')
    const group = await world.group(bob, [phone, laptop])
    await phone.device.own.revoke([laptop.uri])
    await bob.device.identities.of(phone.user, { fresh: true })
    await at(bob, group).send('to the phone alone')
    await phone.until('the text', () => at(phone, group).texts.includes('to the phone alone'))
    expect(at(bob, group).members).toEqual([bob.uri, phone.uri])
    expect(at(laptop, group).texts).toEqual([])
  })

  it('is written by two devices at once, each behind the other', async () => {
    const [phone, laptop] = await world.cast('alice/phone', 'alice/laptop')
    await Promise.all([phone.device.own.renewCertificate(), laptop.device.own.renewCertificate()])
    const { list } = (await phone.device.identities.of(phone.user, { fresh: true }))!
    expect(list.entries).toHaveLength(5)
    expect(
      active(list)
        .map(({ subject }) => subject)
        .sort(),
    ).toEqual([laptop.uri, phone.uri].sort())
  })

  it('is kept over a restart, with what was believed of others', async () => {
    const [alice_, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice_, [bob])
    await bob.disconnect()
    const again = await world.restore(bob.store.export())
    expect(again.device.identities.kept(alice_.user)?.list.identity).toEqual(alice_.device.own.kept.list.identity)
    await again.group(group.record.groupId).send('back')
    await heard([alice_], group, ['back'])
  })
})

describe('a group', () => {
  it('shows a renewed certificate after the next Commit of its device, and how far its list goes', async () => {
    const [alice_, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice_, [bob])
    await alice_.device.own.renewCertificate()
    await alice_.showNewLeaf()
    await agreed([bob], group)
    expect(bob.device.identities.kept(alice_.user)?.list.entries).toHaveLength(3)
    await at(bob, group).send('still here')
    await heard([alice_, bob], group, ['still here'])
  })

  it('of clients of the old kind goes on as before, and cannot be one with certificates', async () => {
    const old = world.keep(await oldClient('old'))
    await old.device.register()
    await old.device.publishKeyPackages(1)
    const [alice_] = await world.cast('alice')
    const group = await world.group(alice_, [], { identities: 'any' })
    await group.add(old.user)
    old.connect()
    await joined(old, group.record.groupId)
    await at(old, group).send('from before')
    await heard([alice_], group, ['from before'])
    const certified = await world.group(alice_, [])
    await expect(certified.add(old.user)).rejects.toMatchObject({ reason: 'invalid', rule: 'device-certificate-missing' })
    await group.remove(old.uri)
    await removed(old, group.record.groupId)
  })
})

const alice = (client: { user: string }): string => client.user

async function oldClient(name: string) {
  const { Client } = await import('../../../examples/client/client.js')
  return Client.create({ baseUrl: world.url, domain: world.domain, user: world.unique(name), device: 'phone', identity: false })
}
