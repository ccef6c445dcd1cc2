import { randomBytes } from 'node:crypto'
import type { Claim } from '../../examples/client/device.js'
import { Http, ServerProblem, type Encoding } from '../../examples/client/http.js'
import { deviceLoginContent, type ProofPurpose } from '../../src/protocol/device-login.js'
import { addedDeviceSubject, stepUpContent, type StepUpPurpose } from '../../src/protocol/identity/step-up.js'
import { SCHEME_OF_SUITE, signContent } from '../../src/protocol/mls/signature.js'
import {
  newKeyPackageMessages,
  newSignatureKey,
  suiteOf,
  SUITES,
  type KeyPackageOptions,
  type SignatureKeyPair,
} from '../support/key-packages.js'

/** Limits that only their own test should meet. */
export const UNLIMITED = {
  LOGINS_PER_MINUTE: '100000',
  CLAIMS_PER_MINUTE: '100000',
  CLAIMS_PER_PAIR_PER_MINUTE: '100000',
  CLAIMS_PER_TARGET_PER_MINUTE: '100000',
}

interface Challenge {
  nonce: Uint8Array
  expires_at: number
  domain: string
  label: string
}
interface Session {
  access_token: string
}
interface Stored {
  stored: { ref: Uint8Array; cipher_suite: number; last_resort: boolean; expires_at: number }[]
}
interface Counts {
  cipher_suites: { cipher_suite: number; available: number; last_resort: boolean }[]
}

/** A device over real HTTP, with keys of the client library that makes its KeyPackages; what the server refuses is not tried again. */
export class HttpDevice {
  readonly keys = new Map<number, SignatureKeyPair>()

  private constructor(
    readonly http: Http,
    readonly user: string,
    readonly client: string,
  ) {}

  /** Registers a device of a new user, or a further one of the user of `sibling`. */
  static async register(baseUrl: string, options: { encoding?: Encoding; sibling?: HttpDevice } = {}): Promise<HttpDevice> {
    const { encoding = 'json', sibling } = options
    const user = sibling?.user ?? `mimi://localhost/u/${randomBytes(6).toString('hex')}`
    const client = `${user.replace('/u/', '/d/')}/${randomBytes(4).toString('hex')}`
    const device = new HttpDevice(new Http({ baseUrl, encoding, retries: 0 }), user, client)
    for (const suite of SUITES) device.keys.set(suite, await newSignatureKey(suite))
    const { nonce, proofs } = await device.prove(sibling === undefined ? 'registration' : 'new-device')
    const signature_keys = proofs.map(({ suite, ...proof }) => ({ scheme: SCHEME_OF_SUITE.get(suite), ...proof }))
    if (sibling === undefined) device.use(await device.http.post<Session>('/v1/accounts', { user, client, nonce, signature_keys }))
    else {
      const keys = signature_keys.map(({ scheme, public_key }) => ({ scheme: scheme ?? 0, publicKey: public_key }))
      await sibling.http.post(
        '/v1/devices',
        { client, nonce, signature_keys },
        await sibling.stepUp('add-device', addedDeviceSubject(client, keys)),
      )
      await device.login()
    }
    return device
  }

  make(count: number, suite = 1, options: Partial<KeyPackageOptions> = {}): Promise<Uint8Array[]> {
    return newKeyPackageMessages(count, { client: this.client, suite, key: this.keys.get(suite)!, ...options })
  }

  upload(keyPackages: Uint8Array[], lastResort: Uint8Array[] = []): Promise<Stored> {
    return this.http.post<Stored>('/v1/key-packages', { key_packages: keyPackages, last_resort: lastResort })
  }

  async counts(): Promise<Counts['cipher_suites']> {
    return (await this.http.get<Counts>('/v1/key-packages')).cipher_suites
  }

  claim(user: string, cipherSuites = [1], more: object = {}): Promise<Claim> {
    return this.http.post<Claim>('/v1/key-packages/claims', { user, cipher_suites: cipherSuites, ...more })
  }

  /** @param sibling a device of the same account */
  async revoke(sibling: HttpDevice): Promise<void> {
    await this.http.delete(`/v1/devices/${sibling.client.split('/').at(-1)}`, await this.stepUp('revoke-device', sibling.client))
  }

  private async login(): Promise<void> {
    const { nonce, proofs } = await this.prove('login')
    const { public_key, proof } = proofs[0]!
    this.use(await this.http.post<Session>('/v1/auth/sessions', { client: this.client, nonce, public_key, proof }))
  }

  private use(session: Session): void {
    this.http.accessToken = session.access_token
  }

  /** One challenge, answered with every key. */
  private async prove(purpose: ProofPurpose) {
    const { nonce, expires_at, domain, label } = await this.challenge(purpose)
    const content = deviceLoginContent({ domain, client: this.client, nonce, expiresAt: BigInt(expires_at) })
    const toSign = signContent(label, content)
    const prove = async ([suite, key]: [number, SignatureKeyPair]) => {
      const { signature } = await suiteOf(suite)
      return { suite, public_key: key.publicKey, proof: await signature.sign(key.signKey, toSign) }
    }
    return { nonce, proofs: await Promise.all([...this.keys].map(prove)) }
  }

  private async stepUp(purpose: StepUpPurpose, subject: string | Uint8Array): Promise<Record<string, string>> {
    const { nonce, expires_at, domain, label } = await this.challenge(purpose)
    const content = stepUpContent({ domain, client: this.client, nonce, expiresAt: BigInt(expires_at), subject: Buffer.from(subject) })
    const [[suite, key]] = [...this.keys] as [[number, SignatureKeyPair]]
    const proof = await (await suiteOf(suite)).signature.sign(key.signKey, signContent(label, content))
    const item = (bytes: Uint8Array) => `:${Buffer.from(bytes).toString('base64')}:`
    return { 'step-up': `nonce=${item(nonce)}, key=${item(key.publicKey)}, proof=${item(proof)}` }
  }

  private challenge(purpose: ProofPurpose | StepUpPurpose): Promise<Challenge> {
    return this.http.post<Challenge>('/v1/auth/challenges', { client: this.client, purpose })
  }
}

/** The problem that an attempt must end with. */
export async function problemOf(attempt: Promise<unknown>): Promise<ServerProblem> {
  const outcome = await attempt.then(
    () => 'success',
    (error: unknown) => error,
  )
  if (!(outcome instanceof ServerProblem)) throw new Error(`Expected a problem, got ${String(outcome)}`)
  return outcome
}
