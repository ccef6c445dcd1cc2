import { beforeAll, describe, expect, it } from '@jest/globals'
import { setPolicy } from '../../src/federation/peers/peers.repository.js'
import { useFederation } from '../support/federated-world.js'
import { joined, problemOf, type World } from '../support/world.js'

const about = ({ status, kind, document }: Awaited<ReturnType<typeof problemOf>>) => [status, kind, document['by'], document['provider']]

describe('providers that refuse each other and meet in a room of a third', () => {
  const federated = useFederation(3, { FEDERATION: 'deny-list' })
  beforeAll(() => setPolicy(federated.providers[2]!.pool, 'b.example', 'deny'))

  it('are named to whoever claims KeyPackages across', async () => {
    const [home, away, third] = federated.worlds as [World, World, World]
    const [[alice], [bob], [ann]] = await Promise.all([home.cast('alice'), away.cast('bob'), third.cast('ann')])
    const group = await home.group(alice, [])
    await group.add(bob.user)
    await joined(bob, group.record.groupId)
    const ofBob = bob.group(group.record.groupId)
    expect(about(await problemOf(ofBob.add(ann.user)))).toEqual([403, 'providers-apart', 'c.example', 'b.example'])
  })
})

describe('a hub that the provider of a user refuses', () => {
  const federated = useFederation(2, { FEDERATION: 'deny-list' })
  beforeAll(() => setPolicy(federated.providers[1]!.pool, 'a.example', 'deny'))

  it('names both to its own user', async () => {
    const [home, away] = federated.worlds as [World, World]
    const [[alice], [bob]] = await Promise.all([home.cast('alice'), away.cast('bob')])
    const group = await home.group(alice, [])
    expect(about(await problemOf(group.add(bob.user)))).toEqual([403, 'providers-apart', 'b.example', 'a.example'])
  })
})
