import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { passkeyOf, type Passkey } from '../../../examples/client/identity/passkeys.js'

export const RP_ID = 'passkeys.example'
/** COSE algorithm. */
const ES256 = -7

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
const base64 = (given: Uint8Array) => Buffer.from(given).toString('base64')

/** Pages of any host, in a browser whose authenticator has a user who is there and verified. */
export class PasskeyPages {
  readonly said: string[] = []
  private constructor(
    private readonly context: BrowserContext,
    private readonly page: Page,
    private readonly devtools: CDPSession,
    private readonly authenticatorId: string,
  ) {}

  static async open(browser: Browser): Promise<PasskeyPages> {
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
