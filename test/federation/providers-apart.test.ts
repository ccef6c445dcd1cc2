import { beforeAll, describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { PeerPolicy } from '../../src/federation/peers/peer-policy.js'
import { setPolicy } from '../../src/federation/peers/peers.repository.js'
import { eventually } from '../support/eventually.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { agreed, at, joined, problemOf, type World } from '../support/world.js'

const about = ({ status, kind, document }: Awaited<ReturnType<typeof problemOf>>) => [status, kind, document['by'], document['provider']]

describe('providers that refuse each other and meet in a room of a third', () => {
  const federated = useFederation(3, { FEDERATION: 'deny-list' })
  beforeAll(() => setPolicy(federated.providers[2]!.pool, 'b.example', 'deny'))

  it('are named to the one who claims KeyPackages across', async () => {
    const [home, away, third] = federated.worlds as [World, World, World]
    const [[alice], [bob], [ann]] = await Promise.all([home.cast('alice'), away.cast('bob'), third.cast('ann')])
    const group = await home.group(alice, [])
    await group.add(bob.user)
    await joined(bob, group.record.groupId)
    const ofBob = bob.group(group.record.groupId)
    expect(about(await problemOf(ofBob.add(ann.user)))).toEqual([403, 'providers-apart', 'c.example', 'b.example'])
  })
})

/** In force on the provider's node: it remembers decisions for a moment. */
async function decide({ app, pool }: Provider, domain: string, policy: 'allow' | 'deny'): Promise<void> {
  await setPolicy(pool, domain, policy)
  await eventually(
    () => app.get(PeerPolicy).admits(domain),
    (admitted) => admitted === (policy === 'allow'),
  )
}

describe('providers with members in one room', () => {
  const federated = useFederation(3, { FEDERATION: 'deny-list' })

  it('are named in its policy where one refuses another, for all members, until it does not any more', async () => {
    const [home, away, third] = federated.worlds as [World, World, World]
    const [a, b, c] = federated.providers as [Provider, Provider, Provider]
    const [[alice], [bob], [ann, ben]] = await Promise.all([home.cast('alice'), away.cast('bob'), third.cast('ann', 'ben')])
    const group = await home.group(alice, [bob, ann])
    await agreed([bob, ann], group)
    const shown = async ({ device }: Client) =>
      (await device.http.get<{ providers_apart?: { by: string; provider: string }[] }>(`${group.path}/policy`)).providers_apart
    expect(await shown(alice)).toBeUndefined()

    await decide(c, 'b.example', 'deny')
    expect((await problemOf(at(bob, group).add(ben.user))).kind).toBe('providers-apart')
    for (const member of [alice, bob, ann]) expect(await shown(member)).toEqual([{ by: 'c.example', provider: 'b.example' }])

    await decide(c, 'b.example', 'allow')
    await at(bob, group).add(ben.user)
    expect(await shown(alice)).toBeUndefined()

    // The hub itself, by its own settings and by what its pushes are answered.
    await decide(a, 'c.example', 'deny')
    await decide(b, 'a.example', 'deny')
    federated.staysBehind(bob, ann, ben)
    await group.send('unheard')
    const both = await eventually(
      () => shown(alice),
      (pairs) => pairs?.length === 2,
    )
    expect(both).toEqual([
      { by: 'a.example', provider: 'c.example' },
      { by: 'b.example', provider: 'a.example' },
    ])
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
