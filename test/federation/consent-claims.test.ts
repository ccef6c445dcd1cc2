import { describe, expect, it } from '@jest/globals'
import { eventually } from '../support/eventually.js'
import { useFederation } from '../support/federated-world.js'
import { heard, joined, problemOf, type World } from '../support/world.js'

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

  it.each(['public', 'private'] as const)(
    'and wants to be asked open a %s group of another provider only once it is accepted, but for whom they know',
    async (mode) => {
      const [home, away] = federated.worlds as [World, World]
      const [mallory, alice] = await home.cast('mallory', 'alice')
      const [bob] = await away.cast('bob')
      await bob.device.askMe('ask')
      await bob.device.http.put(`/v1/consents/${encodeURIComponent(alice.user)}`, { state: 'granted' })
      const known = await home.group(alice, [], { mode })
      await known.add(bob.user)
      await known.send('by a friend')
      await joined(bob, known.record.groupId)
      await heard([bob], known, ['by a friend'])
      const group = await home.group(mallory, [], { mode })
      await group.add(bob.user)
      await group.send('by a stranger')
      interface Box {
        invitations: { clients: string[] }[]
      }
      const box = () => bob.device.http.get<Box>('/v1/invitations')
      const { invitations } = await eventually(box, ({ invitations: found }) => found.length > 0)
      expect(invitations).toMatchObject([{ clients: [bob.uri] }])
      await joined(bob, group.record.groupId)
      expect((await problemOf(bob.device.http.get(`${group.path}/log`))).kind).toBe('not-delivered')
      await bob.device.accept(group.record.groupId)
      await heard([bob], group, ['by a stranger'])
      const other = await home.group(mallory, [], { mode })
      await other.add(bob.user)
      await eventually(box, ({ invitations: found }) => found.length > 0)
      await bob.device.http.delete(other.path.replace('groups', 'invitations'))
      expect(await mallory.device.http.get(other.path)).toMatchObject({ leaving: [bob.uri] })
    },
  )
})
