import { describe, expect, it } from '@jest/globals'
import { useFederation } from '../support/federated-world.js'
import { joined, problemOf, type World } from '../support/world.js'

describe('KeyPackages of somebody who said no', () => {
  const federated = useFederation(2)

  it.each(['here', 'elsewhere'] as const)('are not handed out (%s), until they say yes again', async (where) => {
    const [home, away] = federated.worlds as [World, World]
    const [alice] = await home.cast('alice')
    const [bob] = await (where === 'here' ? home : away).cast('bob')
    const group = await home.group(alice, [])
    const decide = (state: string) => bob.device.http.put(`/v1/consents/${encodeURIComponent(alice.user)}`, { state })
    await decide('revoked')
    const refusal = await problemOf(group.add(bob.user))
    expect([refusal.status, refusal.kind]).toEqual([403, 'no-consent'])
    await decide('granted')
    await group.add(bob.user)
    await joined(bob, group.record.groupId)
  })
})
