import { describe, expect, it } from '@jest/globals'
import { agreed, at, heard, MODES_AND_SUITES, problemOf, useWorld } from '../support/world.js'

describe.each(MODES_AND_SUITES)('an external Commit in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()

  it('brings a second device of a member in while nobody has to be online', async () => {
    const [alice, bob] = await world.cast('alice/phone', 'bob')
    const group = await world.group(alice, [bob], { mode, suite, policy: { external_join: 'open' } })
    await group.send('before the laptop')
    const laptop = await world.unknown(localPart(alice.user), 'laptop')
    await alice.device.enrol(laptop.device)
    const joinedGroup = await laptop.joinExternally({ groupId: group.record.groupId, mode, suite })
    laptop.connect()
    await agreed([alice, bob], joinedGroup)
    await joinedGroup.send('from the laptop')
    await heard([alice, bob], group, ['before the laptop', 'from the laptop'])
    await at(bob, group).send('welcome, laptop')
    await heard([laptop], group, ['from the laptop', 'welcome, laptop'])
  })

  it('lets a device that lost its state replace its own leaf', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], { mode, suite, policy: { external_join: 'same-user' } })
    bob.groups.clear()
    bob.store.groups.clear()
    await bob.joinExternally({ groupId: group.record.groupId, mode, suite, resync: true })
    await agreed([alice], at(bob, group))
    expect(group.members.filter((member) => member === bob.uri)).toHaveLength(1)
    await group.send('still here?')
    await heard([bob], group, ['still here?'])
  })

  it('needs the code, where the policy asks for one, and gets the mode', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [], { mode, suite, policy: { external_join: 'code', join_code: 'open sesame' } })
    const { groupId } = group.record
    expect((await problemOf(bob.joinExternally({ groupId, mode, suite, joinCode: 'open barley' }))).status).toBe(404)
    const answer = await bob.device.http.get(`${group.path}/group-info`, { 'join-code': 'open sesame' })
    expect(answer).toMatchObject({ epoch: 0, mode })
    await bob.joinExternally({ groupId, mode, suite, joinCode: 'open sesame' })
    await agreed([alice], at(bob, group))
  })

  it('is refused to a stranger', async () => {
    const [alice, mallory] = await world.cast('alice', 'mallory')
    const group = await world.group(alice, [], { mode, suite, policy: { external_join: 'same-user' } })
    const refusal = await problemOf(mallory.joinExternally({ groupId: group.record.groupId, mode, suite }))
    expect(refusal.status).toBe(404)
  })
})

function localPart(user: string): string {
  return user.split('/u/')[1] ?? ''
}
