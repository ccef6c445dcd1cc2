import { generateKeyPackageWithKey, encodeMlsMessage } from 'ts-mls'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { ServerProblem, type Http } from './http.js'
import { stepUpHeader } from './identity/step-up.js'
import { keyMaterialRequest } from './mls/key-material-request.js'
import { capabilities, lifetime, proveLogin, suite } from './mls/suites.js'
import type { DeviceRecord, StoredKeyPackage } from './store.js'
import { toBase64Url, toHex, utf8 } from './wire.js'

interface Challenge {
  nonce: Uint8Array
  expires_at: number
  domain: string
}
interface Session {
  access_token: string
  refresh_token: Uint8Array
  expires_at: number
}
interface ClaimedKeyPackage {
  client: string
  cipher_suite: number
  key_package: Uint8Array
  ref: Uint8Array
  last_resort: boolean
}
export interface Claim {
  key_packages: ClaimedKeyPackage[]
  unavailable: string[]
}

/** Fresh keys for a new device: one per cipher suite that it will use. */
export async function newDevice(user: string, client: string, suites: readonly number[]): Promise<DeviceRecord> {
  const keys: DeviceRecord['keys'] = new Map()
  for (const id of suites) keys.set(id, await (await suite(id)).impl.signature.keygen())
  return { user, client, keys, keyPackages: new Map() }
}

/** The device's dealings with the Authentication Service and the KeyPackage directory. */
export class Device {
  /** Types beyond those of RFC 9420 that its application can process: listed in its leaves from here on. */
  proposalTypes: readonly number[] = []

  constructor(
    readonly http: Http,
    readonly record: DeviceRecord,
  ) {
    http.renew = () => this.refresh()
  }

  get client(): string {
    return this.record.client
  }
  get suites(): number[] {
    return [...this.record.keys.keys()]
  }

  /** A new account with this as its first device. */
  async register(inviteCode?: string): Promise<void> {
    const { nonce, signature_keys } = await this.proofs()
    const { user, client } = this.record
    const invite = inviteCode === undefined ? {} : { invite_code: inviteCode }
    this.#keep(await this.http.post<Session>('/v1/accounts', { user, client, nonce, signature_keys, ...invite }))
  }

  /** Another device of the same account vouches for `other`, which then logs in by itself. */
  async enrol(other: Device): Promise<void> {
    const { nonce, signature_keys } = await other.proofs()
    await this.http.post('/v1/devices', { client: other.client, nonce, signature_keys })
    await other.login()
  }

  async login(): Promise<void> {
    const challenge = await this.#challenge()
    const proven = await this.#prove(challenge, this.suites[0] ?? 1)
    const { public_key, proof } = proven
    this.#keep(await this.http.post<Session>('/v1/auth/sessions', { client: this.client, nonce: challenge.nonce, public_key, proof }))
  }

  /** @returns whether there is a new access token; falls back to a login, which needs no stored token at all */
  async refresh(): Promise<boolean> {
    const { refreshToken } = this.record
    const renew = this.http.renew
    this.http.renew = undefined
    try {
      if (refreshToken === undefined) await this.login()
      else this.#keep(await this.http.post<Session>('/v1/auth/sessions/refresh', { refresh_token: refreshToken }))
      return true
    } catch (error) {
      if (!(error instanceof ServerProblem)) throw error
      if (refreshToken === undefined) return false
      delete this.record.refreshToken
      return await this.refresh()
    } finally {
      this.http.renew = renew
    }
  }

  /** A challenge answered with every key of the device. */
  async proofs() {
    const challenge = await this.#challenge()
    const signature_keys = await Promise.all(this.suites.map((id) => this.#prove(challenge, id)))
    return { nonce: challenge.nonce, signature_keys }
  }

  /** Ends the account for good, with all its devices. @returns the providers that are asked to erase the user as well */
  async deleteAccount(): Promise<{ erasure_id: Uint8Array; providers: string[] }> {
    return this.http.delete('/v1/me', await this.#stepUp('delete-account', utf8(this.record.user)))
  }

  /** Makes and uploads `count` one-time KeyPackages per suite, and one of last resort (RFC 9420 §16.8). */
  async publishKeyPackages(count: number): Promise<void> {
    for (const id of this.suites) {
      const fresh = await Promise.all(Array.from({ length: count + 1 }, (_, index) => this.newKeyPackage(id, index === count)))
      const bytes = (lastResort: boolean) => fresh.filter((one) => one.lastResort === lastResort).map(wrapKeyPackage)
      for (const one of fresh) this.record.keyPackages.set(one.ref, one)
      await this.http.post('/v1/key-packages', { key_packages: bytes(false), last_resort: bytes(true) })
    }
  }

  /** For all devices of this user: the group of a stranger is delivered from here on. */
  accept(groupId: Uint8Array): Promise<void> {
    return this.http.post(`/v1/invitations/${toBase64Url(groupId)}/accept`)
  }

  /** Whether groups of strangers wait to be accepted (`accept`). */
  askMe(invitations: 'open' | 'ask'): Promise<unknown> {
    return this.http.put('/v1/me/invitations', { invitations })
  }

  /** Wants nothing to do with a user, of any provider: no Welcomes, no requests. */
  block(user: string): Promise<void> {
    return this.http.put(`/v1/blocks?user=${encodeURIComponent(user)}`)
  }

  unblock(user: string): Promise<void> {
    return this.http.delete(`/v1/blocks?user=${encodeURIComponent(user)}`)
  }

  /** One KeyPackage of every device of a user, each for us alone. */
  async claim(user: string, cipherSuite: number, room?: string): Promise<Claim> {
    const claim = { user, cipher_suites: [cipherSuite] }
    const elsewhere = (uri: string): boolean => providerOf(uri) !== providerOf(this.client)
    if (room === undefined || !(elsewhere(user) || elsewhere(room))) return this.http.post<Claim>('/v1/key-packages/claims', claim)
    return this.http.post<Claim>('/v1/key-packages/claims', {
      ...claim,
      key_material_request: await this.#request(user, cipherSuite, room),
    })
  }

  async newKeyPackage(suiteId: number, lastResort = false): Promise<StoredKeyPackage> {
    const { impl } = await suite(suiteId)
    const signatureKeyPair = this.record.keys.get(suiteId)
    if (!signatureKeyPair) throw new Error(`This device has no key for cipher suite ${suiteId}`)
    const credential = { credentialType: 'basic' as const, identity: utf8(this.client) }
    const made = await generateKeyPackageWithKey(
      credential,
      capabilities(this.suites, this.proposalTypes),
      lifetime(),
      [],
      signatureKeyPair,
      impl,
    )
    const ref = toHex(await makeKeyPackageRef(made.publicPackage, impl.hash))
    return { ref, suite: suiteId, public: made.publicPackage, private: made.privatePackage, lastResort }
  }

  /** Across providers a claim goes through the room's hub, and is signed. */
  async #request(target: string, cipherSuite: number, room: string): Promise<Uint8Array> {
    const keys = this.record.keys.get(cipherSuite)
    if (!keys) throw new Error(`This device has no key for cipher suite ${cipherSuite}`)
    const { user, client } = this.record
    return keyMaterialRequest({ user, client, target, room, cipherSuite }, keys, await suite(cipherSuite))
  }

  #challenge(): Promise<Challenge> {
    return this.http.post<Challenge>('/v1/auth/challenges', { client: this.client })
  }

  /** The header that proves a key of this device, for one purpose and subject. */
  async #stepUp(purpose: 'delete-account', subject: Uint8Array): Promise<{ 'step-up': string }> {
    const { nonce, domain, expires_at } = await this.#challenge()
    const suiteId = this.suites[0] ?? 1
    const keys = this.record.keys.get(suiteId)
    if (!keys) throw new Error('This device has no key')
    const challenge = { domain, client: this.client, nonce, expiresAt: BigInt(expires_at) }
    return stepUpHeader(keys, await suite(suiteId), purpose, challenge, subject)
  }

  async #prove(challenge: Challenge, suiteId: number) {
    const key = this.record.keys.get(suiteId)
    if (!key) throw new Error(`No key for cipher suite ${suiteId}`)
    const of = await suite(suiteId)
    const login = { domain: challenge.domain, client: this.client, nonce: challenge.nonce, expiresAt: BigInt(challenge.expires_at) }
    return { scheme: of.scheme, public_key: key.publicKey, proof: await proveLogin(key.signKey, of, login) }
  }

  #keep(session: Session): void {
    this.http.accessToken = session.access_token
    this.record.refreshToken = session.refresh_token
  }
}

function wrapKeyPackage(stored: StoredKeyPackage): Uint8Array {
  return encodeMlsMessage({ version: 'mls10', wireformat: 'mls_key_package', keyPackage: stored.public })
}

/** The domain in `mimi://<domain>/…` */
function providerOf(uri: string): string | undefined {
  return uri.split('/')[2]
}
