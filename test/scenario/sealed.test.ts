import { describe, expect, it } from '@jest/globals'
import { sealedSenders, SMALL_BATCHES } from '../sealed/sealed-sender-fixture.js'
import { agreed, at, heard, MODES_AND_SUITES, useWorld } from '../support/world.js'

const world = useWorld(SMALL_BATCHES)

describe.each(MODES_AND_SUITES)('three members who post without saying who, in %s mode, suite %i', (mode, suite) => {
  it('read each other, themselves included, in one order', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], { mode, suite })
    await agreed([bob, carol], group)
    const senders = await sealedSenders(world, group, [alice, bob, carol])
    const texts: string[] = []
    for (const [index, sender] of senders.entries()) {
      texts.push(`sealed ${index}`)
      await sender.post(`sealed ${index}`)
    }
    await heard([alice, bob, carol], group, texts)
    await at(bob, group).send('and an ordinary one')
    await heard([alice, bob, carol], group, [...texts, 'and an ordinary one'])
    // A reader knows from the ciphertext who it was.
    const froms = at(carol, group).record.messages.map(({ from }) => from)
    expect(froms).toEqual([alice.uri, bob.uri, carol.uri, bob.uri])
  })

  it('continue in the next epoch, with its key, and once somebody has left', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], { mode, suite })
    await agreed([bob, carol], group)
    const [, , sender] = await sealedSenders(world, group, [alice, bob, carol])
    await group.update()
    await agreed([carol], group)
    await sender!.post('after an update')
    await at(bob, group).leave()
    if (mode === 'private') await group.remove(bob.uri)
    await sender!.post('after a leave')
    await heard([alice, carol], group, ['after an update', 'after a leave'])
    expect(group.members).toEqual([alice.uri, carol.uri])
  })
})
