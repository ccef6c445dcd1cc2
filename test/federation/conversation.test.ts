import { describe, expect, it } from '@jest/globals'
import { useFederation } from '../support/federated-world.js'
import { agreed, at, heard, joined, MODES_AND_SUITES, type World } from '../support/world.js'

describe.each(MODES_AND_SUITES)('a group of two providers in %s mode, suite %i', (mode, suite) => {
  const federated = useFederation(2)
  const worlds = () => federated.worlds as [World, World]

  it('is one conversation, for members who talk to their own server only', async () => {
    const [home, away] = worlds()
    const [alice] = await home.cast('alice')
    const [bob, laptop] = await away.cast('bob/phone', 'bob/laptop')
    const group = await home.group(alice, [bob, laptop], { mode, suite })
    await agreed([bob, laptop], group)
    await group.send('hello')
    await heard([alice, bob, laptop], group, ['hello'])
    await at(bob, group).send('hello yourself')
    await heard([alice, bob, laptop], group, ['hello', 'hello yourself'])
    await at(laptop, group).update()
    await alice.until('the Commit', () => group.epoch === at(laptop, group).epoch)
    await agreed([alice, bob, laptop], at(laptop, group))
    expect(at(bob, group).record.cursor).toBe(group.record.cursor)
  })

  it('takes in users whom a member elsewhere adds, of either provider', async () => {
    const [home, away] = worlds()
    const [alice, carol] = await home.cast('alice', 'carol')
    const [bob, dave] = await away.cast('bob', 'dave')
    const group = await home.group(alice, [bob], { mode, suite })
    await agreed([bob], group)
    await at(bob, group).add(dave.user, carol.user)
    for (const one of [dave, carol]) await joined(one, group.record.groupId)
    await alice.until('the Commit', () => group.epoch === at(bob, group).epoch)
    await agreed([bob, dave, carol], group)
    // The hub sent trees along with the Welcomes. They show the members, also those of a private group.
    const { rows } = await federated.providers[1]!.pool.query('SELECT gid FROM group_tree')
    expect(rows).toEqual([])
    await at(dave, group).send('here')
    await heard([alice, bob, dave, carol], group, ['here'])
  })
})
