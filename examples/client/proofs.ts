import { signWithLabel } from 'ts-mls/crypto/signature.js'
import { ServerProblem, type Http } from './http.js'
import { suite } from './mls/suites.js'
import { signContent, signLabelled, type SigningKey } from './identity/keys.js'
import type { ListKey } from './identity/structures.js'
import { join, uint, vector } from './mls/tls.js'
import type { DeviceRecord } from './store.js'
import { sha256 } from './wire.js'

interface Challenge {
  nonce: Uint8Array
  expires_at: number
  domain: string
  /** Undefined from a server of the release before. */
  label?: string
}

/** What a device proves possession of its keys for, or an authenticator makes a passkey for. A label of the server's choice is never signed. */
const POSSESSION = {
  login: 'MicroChat Device Login',
  registration: 'MicroChat Registration',
  'new-device': 'MicroChat New Device',
  'new-key': 'MicroChat New Key',
  'new-passkey': 'MicroChat New Passkey',
} as const
export type ProofPurpose = keyof typeof POSSESSION

export type StepUpPurpose =
  'add-device' | 'revoke-device' | 'add-key' | 'retire-key' | 'begin-identity' | 'approve-change' | 'refuse-change' | 'delete-account'

/** That who asks holds a key of no device. */
interface KeyLogin {
  client: string
  nonce: Uint8Array
  public_key: Uint8Array
  proof: Uint8Array
  rp_id?: string
}

/** Keys that are proven by one challenge, as requests carry them. */
export interface Possession {
  nonce: Uint8Array
  signature_keys: { scheme: number; public_key: Uint8Array; proof: Uint8Array }[]
}

/** The subject of `add-device` (docs/identity.md §8). */
export function addedDeviceSubject(client: string, keys: readonly ListKey[]): Uint8Array {
  return sha256(join(vector(client), vector(join(...keys.map(({ scheme, publicKey }) => join(uint(2, scheme), vector(publicKey)))))))
}

/** A header field, to be sent along with a request. */
export type StepUpField = Record<'step-up', string>

/** Proofs by a device's keys: SignWithLabel (RFC 9420 §5.1.2) over who it is, where, until when, and what for. */
export class Proofs {
  constructor(
    private readonly http: Http,
    private readonly record: DeviceRecord,
  ) {}

  /** Possession of keys, by one challenge. @param suites whose keys */
  async possession(purpose: ProofPurpose, suites: Iterable<number> = this.record.keys.keys()): Promise<Possession> {
    const challenge = await this.#challenge(purpose)
    // A server of the release before knows the login's label alone.
    const label = POSSESSION[challenge.label === undefined ? 'login' : purpose]
    const prove = async (suiteId: number) => {
      const { scheme, publicKey, signed } = await this.#signed(suiteId, label, this.#content(challenge))
      return { scheme, public_key: publicKey, proof: signed }
    }
    return { nonce: challenge.nonce, signature_keys: await Promise.all([...suites].map(prove)) }
  }

  /** The proof of a login by a key that is no device's: the recovery key or a passkey of a user who has lost all devices. */
  async loginBy(key: SigningKey): Promise<KeyLogin> {
    const challenge = await this.#challenge('login')
    const proof = await signLabelled(key, POSSESSION.login, this.#content(challenge))
    const { client } = this.record
    return { client, nonce: challenge.nonce, public_key: key.publicKey, proof, ...(key.rpId === undefined ? {} : { rp_id: key.rpId }) }
  }

  /** What a new passkey has to be made for, where the server wants to see its attestation (docs/identity.md §2). */
  async passkeyChallenge(): Promise<{ nonce: Uint8Array; challenge: Uint8Array }> {
    const challenge = await this.#challenge('new-passkey')
    return { nonce: challenge.nonce, challenge: sha256(signContent(POSSESSION['new-passkey'], this.#content(challenge))) }
  }

  /** A fresh proof for what a session alone must not do (docs/identity.md §8). @param subject text in UTF-8 */
  async stepUp(purpose: StepUpPurpose, subject: string | Uint8Array): Promise<StepUpField> {
    const challenge = await this.#challenge(purpose)
    const content = new Uint8Array(Buffer.concat([this.#content(challenge), vector(Buffer.from(subject))]))
    const [suiteId = 1] = this.record.keys.keys()
    const { publicKey, signed } = await this.#signed(suiteId, `MicroChat Step-Up ${purpose}`, content)
    const item = (bytes: Uint8Array) => `:${Buffer.from(bytes).toString('base64')}:`
    return { 'step-up': `nonce=${item(challenge.nonce)}, key=${item(publicKey)}, proof=${item(signed)}` }
  }

  /** Sends with a proof, and once more with another one if the first was spent: by this very request, if the answer to it was lost. */
  async steppedUp<T>(purpose: StepUpPurpose, subject: string | Uint8Array, send: (field: StepUpField) => Promise<T>): Promise<T> {
    try {
      return await send(await this.stepUp(purpose, subject))
    } catch (error) {
      if (!(error instanceof ServerProblem && error.kind === 'step-up-required')) throw error
      return send(await this.stepUp(purpose, subject))
    }
  }

  /** A server of the release before knows no purposes. */
  async #challenge(purpose: ProofPurpose | StepUpPurpose): Promise<Challenge> {
    const { client } = this.record
    try {
      return await this.http.post<Challenge>('/v1/auth/challenges', { client, purpose })
    } catch (error) {
      if (!(error instanceof ServerProblem && error.status === 400)) throw error
      return this.http.post<Challenge>('/v1/auth/challenges', { client })
    }
  }

  #content({ domain, nonce, expires_at: expiresAt }: Challenge): Uint8Array {
    const expiry = Buffer.alloc(8)
    expiry.writeBigUInt64BE(BigInt(expiresAt))
    return new Uint8Array(Buffer.concat([vector(Buffer.from(domain)), vector(Buffer.from(this.record.client)), vector(nonce), expiry]))
  }

  async #signed(suiteId: number, label: string, content: Uint8Array) {
    const key = this.record.keys.get(suiteId)
    if (!key) throw new Error(`No key for cipher suite ${suiteId}`)
    const { impl, scheme } = await suite(suiteId)
    return { scheme, publicKey: key.publicKey, signed: await signWithLabel(key.signKey, label, content, impl.signature) }
  }
}
