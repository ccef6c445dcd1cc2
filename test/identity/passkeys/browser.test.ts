import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import type { Browser } from 'playwright-core'
import { signLabelled, verifyLabelled } from '../../../examples/client/identity/keys.js'
import { addPasskey, passkeyKey } from '../../../examples/client/identity/passkeys.js'
import { verifiedBy } from '../../../src/protocol/identity/signatures.js'
import { describeWithChromium, startChromium } from '../../support/chromium.js'
import { problemOf, useWorld } from '../../support/world.js'
import { comesBack } from './comeback.js'
import { PasskeyPages, RP_ID } from './passkey-pages.js'

const world = useWorld()
let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser?.close())

describeWithChromium('with the authenticator of a browser', () => {
  let pages: PasskeyPages
  afterEach(() => pages.close())

  it.each(['public', 'private'] as const)('a user comes back to a %s group after the loss of the only device', async (mode) => {
    pages = await PasskeyPages.open(browser)
    await comesBack(world, mode, async ({ device }) => {
      const { nonce, challenge } = await device.proofs.passkeyChallenge()
      const { passkey, ...answer } = await pages.make(challenge)
      return { passkey, attestation: { nonce, ...answer } }
    })
  })

  it('each answer is taken by both readers, also where the browser adds a member at random', async () => {
    pages = await PasskeyPages.open(browser)
    const { passkey } = await pages.make(new Uint8Array(32))
    const key = passkeyKey(passkey)
    for (let number = 0; number < 16; number++) {
      const content = Uint8Array.of(number)
      const signature = await signLabelled(key, 'Some Label', content)
      const server = await verifiedBy({ key: passkey, rpId: RP_ID }, 'Some Label', content, signature)
      expect([server, verifyLabelled(passkey, RP_ID, 'Some Label', content, signature)]).toEqual([true, true])
      expect(await verifiedBy({ key: passkey, rpId: RP_ID }, 'Some Label', Uint8Array.of(99), signature)).toBe(false)
    }
  })

  it('nobody is let in by who has the authenticator, and is not its user', async () => {
    pages = await PasskeyPages.open(browser)
    const [phone] = await world.cast('grace')
    const { passkey } = await pages.make(new Uint8Array(32))
    await addPasskey(phone.device.own, passkey)
    await pages.verifiesNobody()
    const thief = await world.unknown(phone.user.split('/').at(-1)!, 'thief')
    await expect(thief.device.recover(passkeyKey(passkey))).rejects.toThrow('NotAllowedError')
    const unverified = { ...passkey, assert: (challenge: Uint8Array) => pages.ask(challenge, 'discouraged') }
    expect(await problemOf(thief.device.recover(passkeyKey(unverified)))).toMatchObject({ kind: 'login-refused' })
  })

  it('no page of another origin has it sign', async () => {
    pages = await PasskeyPages.open(browser)
    const [phone] = await world.cast('heidi')
    const { passkey } = await pages.make(new Uint8Array(32))
    await addPasskey(phone.device.own, passkey)
    const thief = await world.unknown(phone.user.split('/').at(-1)!, 'thief')
    // The browser refuses to ask under an RP ID that is not the page's own.
    await pages.visit(`https://evil.example/?rp=${RP_ID}`)
    await expect(thief.device.recover(passkeyKey(passkey))).rejects.toThrow('SecurityError')
    // A subdomain may ask, and is not the origin that counts.
    await pages.visit(`https://evil.${RP_ID}/?rp=${RP_ID}`)
    expect(await problemOf(thief.device.recover(passkeyKey(passkey)))).toMatchObject({ kind: 'login-refused' })
    await pages.visit(`https://${RP_ID}:8443/`)
    expect(await problemOf(thief.device.recover(passkeyKey(passkey)))).toMatchObject({ kind: 'login-refused' })
    await pages.visit(`https://${RP_ID}/`)
    await thief.device.recover(passkeyKey(passkey))
  })
})
