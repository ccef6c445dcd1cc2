import { describe, expect, it } from '@jest/globals'
import { agreed, at, heard, MODES_AND_SUITES, problemOf, removed, useWorld } from '../support/world.js'

describe.each(MODES_AND_SUITES)('leaving in %s mode, suite %i', (mode, suite) => {
  const world = useWorld()
  const shown = { mode, suite, policy: { external_join: 'same-user' as const } }

  it('works by a Proposal of the leaver, which another member commits', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], { mode, suite })
    await at(bob, group).proposeLeaving()
    await carol.until('the proposal', () => pending(at(carol, group)) === 1)
    await at(carol, group).settle()
    await removed(bob, group.record.groupId)
    await at(carol, group).send('bye')
    await heard([alice], group, ['bye'])
    expect(group.members).toEqual([alice.uri, carol.uri])
  })

  it('works by the server: it proposes in public mode, and tells the members of a private group whom to let go', async () => {
    const [alice, bob, carol] = await world.cast('alice', 'bob', 'carol')
    const group = await world.group(alice, [bob, carol], shown)
    expect(await at(bob, group).leave()).toEqual({ proposed: mode === 'public' })
    await carol.until('the wish', () => due(at(carol, group)) === 1)
    await at(carol, group).settle()
    await removed(bob, group.record.groupId)
    await alice.until('the Commit', () => group.epoch === 2)
    await agreed([carol], group)
    expect(group.members).toEqual([alice.uri, carol.uri])
  })

  it('a revoked device loses its stream at once, and the members of every group learn that they have to remove it', async () => {
    const [phone, laptop, bob] = await world.cast('alice/phone', 'alice/laptop', 'bob/phone')
    const group = await world.group(bob, [phone, laptop], shown)
    const stream = laptop.stream
    await phone.device.revoke('laptop')
    await laptop.until('the end of its stream', () => stream?.lastClose === 4403)
    expect((await problemOf(at(laptop, group).history(1))).status).toBe(401)
    await bob.until('the revocation', () => due(group) === 1)
    await group.settle()
    await phone.until('the Commit', () => at(phone, group).epoch === 2)
    await agreed([phone], group)
    expect(group.members).toEqual([bob.uri, phone.uri])
  })

  it('takes out also by a Commit of a client that has heard of no leave', async () => {
    const [alice, bob] = await world.cast('alice', 'bob')
    const group = await world.group(alice, [bob], shown)
    await alice.disconnect()
    await at(bob, group).leave()
    expect(due(group)).toBe(0)
    // In public mode it is refused once, and then takes the Remove with it; in private mode the client asks who is to go.
    await group.update()
    expect([group.epoch, group.members]).toEqual([2, [alice.uri]])
  })
})

function pending(group: { record: { state: { unappliedProposals: object } } }): number {
  return Object.keys(group.record.state.unappliedProposals).length
}

/** How many are on their way out, as far as this client knows: by Proposals, or in a private group by what the server says. */
function due(group: { record: { leaving?: string[]; state: { unappliedProposals: object } } }): number {
  return pending(group) + (group.record.leaving?.length ?? 0)
}
