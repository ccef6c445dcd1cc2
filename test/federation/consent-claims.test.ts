import { describe, expect, it } from '@jest/globals'
import { eventually } from '../support/eventually.js'
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

  it.each(['public', 'private'] as const)(
    'are not handed out to whom they have blocked, and what it claimed before opens no %s group',
    async (mode) => {
      const [home, away] = federated.worlds as [World, World]
      const [mallory] = await home.cast('mallory')
      const [bob] = await away.cast('bob')
      const group = await home.group(mallory, [], { mode })
      const claim = mallory.device.claim.bind(mallory.device)
      mallory.device.claim = async (...wanted) => {
        const claimed = await claim(...wanted)
        await bob.device.block(mallory.user)
        return claimed
      }
      await group.add(bob.user)
      await group.send('who are you?')
      interface Mine {
        groups: { group_id: Uint8Array; delivery: string }[]
      }
      const { groups } = await eventually(
        () => bob.device.http.get<Mine>('/v1/groups'),
        ({ groups: known }) => known.length > 0,
      )
      expect(groups).toMatchObject([{ delivery: 'blocked' }])
      expect((await problemOf(bob.device.http.get(`${group.path}/log`))).kind).toBe('not-delivered')
      expect([bob.groups.size, bob.lostWelcomes]).toEqual([0, []])
      expect((await problemOf(group.add(bob.user))).kind).toBe('no-consent')
    },
  )
})
