import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { signLabelled, verifyLabelled } from '../../../examples/client/identity/keys.js'
import { addPasskey, passkeyKey, passkeyOf, type Passkey } from '../../../examples/client/identity/passkeys.js'
import { verifiedBy } from '../../../src/protocol/identity/signatures.js'
import { describeWithChromium, startChromium } from '../../support/chromium.js'
import { problemOf, useWorld } from '../../support/world.js'
import { comesBack } from './comeback.js'

const RP_ID = 'passkeys.example'
/** COSE algorithm. */
const ES256 = -7

const world = useWorld()
let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser?.close())

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
const base64 = (given: Uint8Array) => Buffer.from(given).toString('base64')

/** Pages of any host, in a browser whose authenticator has a user who is there and verified. */
class PasskeyPages {
  readonly said: string[] = []
  private constructor(
    private readonly context: BrowserContext,
    private readonly page: Page,
    private readonly devtools: CDPSession,
    private readonly authenticatorId: string,
  ) {}

  static async open(): Promise<PasskeyPages> {
    const context = await browser.newContext()
    const body = await readFile(join(import.meta.dirname, 'page.html'), 'utf8')
    await context.route(/^https:/, (route) => route.fulfill({ contentType: 'text/html', body }))
    const page = await context.newPage()
    const devtools = await context.newCDPSession(page)
    await devtools.send('WebAuthn.enable', { enableUI: false })
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
        ...{ isUserVerified: true, automaticPresenceSimulation: true },
      },
    })
    await page.goto(`https://${RP_ID}/`)
    return new PasskeyPages(context, page, devtools, authenticatorId)
  }

  close(): Promise<void> {
    return this.context.close()
  }

  async visit(url: string): Promise<void> {
    await this.page.goto(url)
  }

  async verifiesNobody(): Promise<void> {
    await this.devtools.send('WebAuthn.setUserVerified', { authenticatorId: this.authenticatorId, isUserVerified: false })
  }

  /** A new passkey, and what the browser says about it. */
  async make(challenge: Uint8Array) {
    const made = await this.call('makePasskey', base64(challenge), ES256)
    const key = passkeyOf(bytes(made['publicKey'] ?? ''))
    const passkey: Passkey = { rpId: RP_ID, ...key, assert: (asked) => this.ask(asked) }
    return {
      passkey,
      client_data_json: bytes(made['clientDataJson'] ?? ''),
      attestation_object: bytes(made['attestationObject'] ?? ''),
    }
  }

  async ask(challenge: Uint8Array, verification = 'required') {
    const answer = await this.call('askPasskey', base64(challenge), verification)
    const [authenticatorData, clientDataJson, signature] = ['authenticatorData', 'clientDataJson', 'signature'].map((name) =>
      bytes(answer[name] ?? ''),
    )
    return { authenticatorData: authenticatorData!, clientDataJson: clientDataJson!, signature: signature! }
  }

  private call(name: string, ...parameters: readonly unknown[]): Promise<Record<string, string>> {
    return this.page.evaluate(`${name}(${parameters.map((one) => JSON.stringify(one)).join()})`)
  }
}

describeWithChromium('with the authenticator of a browser', () => {
  let pages: PasskeyPages
  afterEach(() => pages.close())

  it.each(['public', 'private'] as const)('a user comes back to a %s group after the loss of the only device', async (mode) => {
    pages = await PasskeyPages.open()
    await comesBack(world, mode, async ({ device }) => {
      const { nonce, challenge } = await device.proofs.passkeyChallenge()
      const { passkey, ...answer } = await pages.make(challenge)
      return { passkey, attestation: { nonce, ...answer } }
    })
  })

  it('each answer is taken by both readers, also where the browser adds a member at random', async () => {
    pages = await PasskeyPages.open()
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
    pages = await PasskeyPages.open()
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
    pages = await PasskeyPages.open()
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
