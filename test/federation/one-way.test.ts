import { describe, expect, it } from '@jest/globals'
import { useFederation } from '../support/federated-world.js'
import { agreed, at, heard, type World } from '../support/world.js'

describe('a follower', () => {
  const federated = useFederation(2)
  const cast = async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice], [bob, laptop]] = await Promise.all([home.cast('alice'), away.cast('bob/phone', 'bob/laptop')])
    const group = await home.group(alice, [bob, laptop])
    await agreed([bob, laptop], group)
    return { alice, bob, laptop, group }
  }

  it('that the hub cannot reach fetches by itself what it knows to be missing', async () => {
    const { alice, bob, group } = await cast()
    const [, follower] = federated.providers
    follower!.proxy.fault = 'cut'
    await group.send('unheard')
    await at(bob, group).send('heard')
    await heard([alice, bob], group, ['unheard', 'heard'])
    expect(follower!.proxy.seen).toContain('notify')
    follower!.proxy.fault = 'none'
  })

  it('tells the hub of a device that is revoked, which the hub then proposes to remove', async () => {
    const { alice, bob, laptop, group } = await cast()
    await bob.device.revoke('laptop')
    await alice.until('the proposal', () => Object.keys(group.record.state.unappliedProposals).length > 0)
    await group.settle()
    await agreed([bob], group)
    expect(group.members).not.toContain(laptop.uri)
  })
})
