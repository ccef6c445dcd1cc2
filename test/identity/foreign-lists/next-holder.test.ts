import { expect, it } from '@jest/globals'
import { deleteAccount } from '../../../examples/client/account-end.js'
import type { Client } from '../../../examples/client/client.js'
import { extendList } from '../../../src/protocol/identity/list.js'
import { eventually } from '../../support/eventually.js'
import { introduced } from '../../support/introduced.js'
import { useFederation } from '../../support/federated-world.js'
import type { Provider } from '../../support/federation.js'
import { seconds } from '../../support/mls/device-lists.js'
import { joined, type World } from '../../support/world.js'
import { ageDeletions, eraseDeleted } from '../account-fixture.js'
import { countOf, later } from './planted-lists.js'

const federated = useFederation(3)
const providers = () => federated.providers as [home: Provider, hub: Provider, reader: Provider]
const worlds = () => federated.worlds as [World, World, World]
const HOUR = 3_600_000

interface Shown {
  identities: number
  entries: Uint8Array[]
}

/** What a client gets, verified; the identity. */
async function identityOf({ device }: Client, user: string): Promise<Buffer> {
  const { entries } = await device.http.get<Shown>(`/v1/device-lists?user=${encodeURIComponent(user)}`)
  const list = await extendList(user, undefined, entries, seconds())
  if (list.kind === 'broken') throw new Error(list.rule)
  return Buffer.from(list.value.identity)
}

it('the list of who has the name after an erased user reads well at a hub with the user’s groups, and where the former list was only read', async () => {
  const [home, hub, reader] = providers()
  const [bob] = await worlds()[0].cast('bob')
  const [alice] = await worlds()[1].cast('alice')
  const [carol] = await worlds()[2].cast('carol')
  const group = await alice.createGroup({ groupId: Buffer.from('next-holder') })
  await group.add(bob.user)
  await joined(bob, group.record.groupId)
  await introduced(home, bob.user, reader.domain)
  const former = await identityOf(carol, bob.user)
  expect(await identityOf(alice, bob.user)).toEqual(former)
  expect([await countOf(hub, 'foreign_device_list'), await countOf(reader, 'foreign_device_list')]).toEqual([1, 0])

  bob.device.http.renew = undefined
  expect(await deleteAccount(bob.device)).toMatchObject({ providers: ['b.example'] })
  await bob.disconnect()
  await eventually(
    () => countOf(home, 'peer_erasure', 'receipt IS NOT NULL'),
    (count) => count === 1,
  )
  await eraseDeleted(hub)
  // The name is still needed there, for the leaf; the list is not.
  expect([await countOf(hub, 'account', `user_uri = '${bob.user}'`), await countOf(hub, 'foreign_device_list')]).toEqual([1, 0])

  await eventually(
    async () => {
      await ageDeletions(home.pool, '91 days')
      await eraseDeleted(home)
      return countOf(home, 'account', `user_uri = '${bob.user}' OR user_uri LIKE 'erased:%'`)
    },
    (count) => count === 0,
  )
  const next = await worlds()[0].unknown(bob.user.split('/').at(-1)!, 'phone')
  await next.device.register()
  await introduced(home, bob.user, hub.domain, reader.domain)
  const first = await identityOf(alice, bob.user)
  expect(first).not.toEqual(former)
  for (const provider of [hub, reader]) later(provider, HOUR)
  expect(await identityOf(alice, bob.user)).toEqual(first)
  expect(await identityOf(carol, bob.user)).toEqual(first)
  // Nothing of the next one is written down before the leaf of the one before is out; then it is.
  expect(await countOf(hub, 'foreign_device_list')).toBe(0)
  const there = alice.group(group.record.groupId)
  await there.settle()
  await there.remove(bob.uri)
  // As soon as its provider has heard that the device is out.
  await eventually(
    async () => {
      await eraseDeleted(hub)
      return countOf(hub, 'account', `user_uri = '${bob.user}'`)
    },
    (count) => count === 0,
  )
  await next.device.publishKeyPackages(1)
  const { identities } = alice.device
  expect(await identities.of(bob.user, { fresh: true })).toMatchObject({ trouble: { reason: 'identity-changed' } })
  identities.accept(bob.user)
  // In another room: who claims for the same one within ten minutes is answered as before.
  const another = await alice.createGroup({ groupId: Buffer.from('next-holder-again') })
  await another.add(bob.user)
  expect(await countOf(hub, 'foreign_device_list')).toBe(1)
})
