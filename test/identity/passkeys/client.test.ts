import { describe, expect, it } from '@jest/globals'
import { active } from '../../../examples/client/identity/list.js'
import { addPasskey, passkeyKey } from '../../../examples/client/identity/passkeys.js'
import { problemOf, useWorld } from '../../support/world.js'
import { newPasskeyKey, registrationOf, softwarePasskey } from './authenticator.js'
import { comesBack } from './comeback.js'

const RP_ID = 'passkeys.example'

const world = useWorld()

describe('who has lost all devices and has a passkey', () => {
  it.each(['public', 'private'] as const)('comes back to its %s group by itself', async (mode) => {
    await comesBack(world, mode, async () => ({ passkey: softwarePasskey(RP_ID) }))
  })

  it('comes back where a browser says more than it has to, and the passkey was attested', async () => {
    const key = newPasskeyKey()
    await comesBack(world, 'public', async ({ device }) => {
      const { nonce, challenge } = await device.proofs.passkeyChallenge()
      const { clientDataJson, attestationObject } = registrationOf(key, { rpId: RP_ID, challenge })
      const more = { other_keys_can_be_added_here: 'do not compare clientDataJSON against a template' }
      const attestation = { nonce, client_data_json: clientDataJson, attestation_object: attestationObject }
      return { passkey: softwarePasskey(RP_ID, key, more), attestation }
    })
  })

  it('does not come back by another one, nor by one of another RP ID', async () => {
    const [phone] = await world.cast('carol')
    const key = newPasskeyKey()
    await addPasskey(phone.device.own, softwarePasskey(RP_ID, key))
    const found = await world.unknown(phone.user.split('/').at(-1)!, 'found')
    for (const other of [softwarePasskey(RP_ID), softwarePasskey('other.example', key)])
      expect(await problemOf(found.device.recover(passkeyKey(other)))).toMatchObject({ kind: 'login-refused' })
  })
})

describe('who has a device and a passkey', () => {
  it.each(['ec', 'ed25519'] as const)('enrols another device by the passkey (%s), which asks once for each', async (type) => {
    const [phone, bob] = await world.cast('dave', 'erin')
    const passkey = softwarePasskey(RP_ID, newPasskeyKey(type))
    await addPasskey(phone.device.own, passkey)
    expect(passkey.asked).toBe(1)
    const tablet = await world.unknown(phone.user.split('/').at(-1)!, 'tablet')
    await phone.device.enrol(tablet.device, passkeyKey(passkey))
    expect(passkey.asked).toBe(2)
    const { list } = (await bob.device.identities.of(phone.user))!
    expect(active(list).map(({ subject, signer }) => [subject, signer])).toEqual([
      [phone.uri, 1],
      [RP_ID, 2],
      [tablet.uri, 3],
    ])
  })
})
