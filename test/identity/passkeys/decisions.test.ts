import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals'
import type { Browser } from 'playwright-core'
import type { Client } from '../../../examples/client/client.js'
import { activeDevice } from '../../../examples/client/identity/list.js'
import type { SigningKey } from '../../../examples/client/identity/keys.js'
import { addPasskey, passkeyKey } from '../../../examples/client/identity/passkeys.js'
import { approveChange, refuseChange, waitingChange } from '../../../examples/client/identity/waiting-change.js'
import { describeWithChromium, startChromium } from '../../support/chromium.js'
import { startServer, type TestServer } from '../../support/server.js'
import { GENEROUS, problemOf, World } from '../../support/world.js'
import { age } from '../changes/changes-fixture.js'
import { PasskeyPages, RP_ID } from './passkey-pages.js'

describeWithChromium('a change that waits, and a passkey in a browser', () => {
  let browser: Browser
  let server: TestServer
  let world: World
  let pages: PasskeyPages
  let phone: Client
  let laptop: Client
  let passkey: SigningKey
  beforeAll(async () => {
    browser = await startChromium()
    server = await startServer(GENEROUS)
    world = new World(server.url)
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })
  beforeEach(async () => {
    pages = await PasskeyPages.open(browser)
    ;[phone, laptop] = await world.cast('alice/phone', 'alice/laptop')
  })
  afterEach(async () => {
    await world.disconnect()
    await pages.close()
  })

  /** The phone certifies the passkey, before or after all that it has now becomes two days old. */
  async function certifiesPasskey(when: 'long ago' | 'just now'): Promise<void> {
    if (when === 'just now') await age(server.pool, { phone })
    const made = await pages.make(new Uint8Array(32))
    await addPasskey(phone.device.own, made.passkey)
    passkey = passkeyKey(made.passkey)
    if (when === 'long ago') await age(server.pool, { phone })
  }

  /** The phone revokes the laptop, which waits: nobody else is in charge. */
  async function revokesLaptop() {
    expect(await phone.device.own.revoke([laptop.uri])).toBeGreaterThan(Date.now() / 1000)
    return (await waitingChange(phone.device))!
  }

  const laptopIsListed = async (): Promise<boolean> => {
    const { list } = (await phone.device.identities.of(phone.user, { fresh: true }))!
    return activeDevice(list, laptop.uri) !== undefined
  }

  it('takes effect at once when the passkey approves it', async () => {
    await certifiesPasskey('long ago')
    const change = await revokesLaptop()
    expect(await laptopIsListed()).toBe(true)
    await approveChange(phone.device, change, passkey)
    expect(await laptopIsListed()).toBe(false)
    expect(await waitingChange(phone.device)).toBeUndefined()
    expect(await problemOf(laptop.device.login())).toMatchObject({ kind: 'login-refused' })
  })

  it('never takes effect when the passkey refuses it, also from a device that may not', async () => {
    await certifiesPasskey('long ago')
    await revokesLaptop()
    const change = (await waitingChange(laptop.device))!
    expect(await problemOf(refuseChange(laptop.device, change))).toMatchObject({ kind: 'forbidden' })
    await refuseChange(laptop.device, change, passkey)
    expect(await waitingChange(phone.device)).toBeUndefined()
    expect(await laptopIsListed()).toBe(true)
    await laptop.device.login()
  })

  it('is not for a passkey that the list has had for less than the delay', async () => {
    await certifiesPasskey('just now')
    const change = await revokesLaptop()
    for (const decide of [approveChange, refuseChange])
      expect(await problemOf(decide(phone.device, change, passkey))).toMatchObject({ kind: 'step-up-required' })
    expect(await waitingChange(phone.device)).toEqual(change)
    await age(server.pool, { phone })
    await approveChange(phone.device, change, passkey)
    expect(await laptopIsListed()).toBe(false)
  })

  it('is decided by nobody who has the authenticator, and is not its user', async () => {
    await certifiesPasskey('long ago')
    const change = await revokesLaptop()
    await pages.verifiesNobody()
    await expect(approveChange(phone.device, change, passkey)).rejects.toThrow('NotAllowedError')
    const unverified = passkeyKey({ ...passkey, rpId: RP_ID, assert: (challenge) => pages.ask(challenge, 'discouraged') })
    expect(await problemOf(approveChange(phone.device, change, unverified))).toMatchObject({ kind: 'step-up-required' })
    expect(await laptopIsListed()).toBe(true)
  })
})
