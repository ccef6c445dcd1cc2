import { expect } from '@jest/globals'
import { active } from '../../../examples/client/identity/list.js'
import { addPasskey, passkeyKey, type Passkey, type PasskeyAttestation } from '../../../examples/client/identity/passkeys.js'
import type { Mode } from '../../../examples/client/store.js'
import { agreed, at, heard, type World } from '../../support/world.js'

/** `attested` makes the passkey for a challenge of the server; undefined: the server wants to see nothing of it. */
interface Made {
  passkey: Passkey
  attestation?: PasskeyAttestation
}

/**
 * The whole way: a user with one device and a passkey loses the device, comes back by the passkey with another one, joins the group by
 * itself, is believed by the member who is there, and puts the lost device out.
 */
export async function comesBack(
  world: World,
  mode: Mode,
  make: (client: Awaited<ReturnType<World['unknown']>>) => Promise<Made>,
): Promise<void> {
  const [phone, bob] = await world.cast('alice', 'bob')
  const group = await world.group(bob, [phone], { mode, policy: { external_join: 'same-user' } })
  const { groupId } = group.record
  const { passkey, attestation } = await make(phone)
  await addPasskey(phone.device.own, passkey, attestation)
  await group.send('before')
  await heard([phone], group, ['before'])
  await phone.disconnect()

  const found = await world.unknown(phone.user.split('/').at(-1)!, 'found')
  await found.device.recover(passkeyKey(passkey))
  found.connect()
  const own = await found.joinExternally({ groupId, mode, suite: 1 })
  await agreed([bob], own)
  await bob.until('the new list', () => bob.device.identities.kept(found.user)?.list.entries.length === 4)
  expect(group.record).toMatchObject({ quarantine: [], certified: true })
  const { list } = bob.device.identities.kept(found.user)!
  expect(active(list).map(({ kind, signer }) => [kind, signer])).toEqual([
    ['device', 1],
    ['passkey', 2],
    ['device', 3],
  ])

  await found.device.own.revoke([phone.uri])
  await bob.device.identities.of(found.user, { fresh: true })
  await group.send('welcome back')
  await found.until('the text', () => at(found, group).texts.includes('welcome back'))
  await at(found, group).send('thanks')
  await bob.until('the text', () => group.texts.includes('thanks'))
  expect([...group.members].sort()).toEqual([bob.uri, found.uri].sort())
}
