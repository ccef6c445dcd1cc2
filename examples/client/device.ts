import { generateKeyPackageWithKey, type Extension } from 'ts-mls'
import { makeKeyPackageRef } from 'ts-mls/keyPackage.js'
import { ServerProblem, type Http } from './http.js'
import { enrolDevice } from './identity/enrolment.js'
import { Identities } from './identity/identities.js'
import type { SigningKey } from './identity/keys.js'
import { LEAF_CERTIFICATE } from './identity/leaf.js'
import { lookAtOwnList } from './identity/notices.js'
import type { DeviceListUpdate } from './identity/structures.js'
import { OwnIdentity } from './identity/own.js'
import { recoveryKey } from './identity/recovery-words.js'
import type { IdentityRefused } from './identity/refused.js'
import { encodeKeyPackageMessage } from './mls/key-package-message.js'
import { keyMaterialRequest } from './mls/key-material-request.js'
import { capabilities, lifetime, suite } from './mls/suites.js'
import { newProofKey, Prover } from './possession.js'
import { addedDeviceSubject, Proofs, type Possession } from './proofs.js'
import type { DeviceRecord, StoredKeyPackage } from './store.js'
import type { Stream } from './stream.js'
import { toBase64Url, toHex } from './wire.js'
import { Certificates } from './x509/certificates.js'

interface Session {
  /** `DPoP`: the session is bound to our proof key. Servers of the release before say nothing. */
  token_type?: 'DPoP' | 'Bearer'
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
export async function newDevice(user: string, client: string, suites: readonly number[], certified = true): Promise<DeviceRecord> {
  const keys: DeviceRecord['keys'] = new Map()
  for (const id of suites) keys.set(id, await (await suite(id)).impl.signature.keygen())
  return { user, client, keys, keyPackages: new Map(), certified, pins: new Map(), proofKey: newProofKey() }
}

/** The device's dealings with the Authentication Service and the KeyPackage directory. */
export class Device {
  /** Types beyond those of RFC 9420 that its application can process: listed in its leaves from here on. */
  proposalTypes: readonly number[] = []
  /** How application messages go to the server. */
  posts: 'http' | 'stream' = 'http'
  /** While it wants to be connected. */
  stream: Stream | undefined
  readonly proofs: Proofs
  /** Device lists of other users, and what is believed of them. */
  readonly identities: Identities
  readonly own: OwnIdentity
  readonly certificates: Certificates
  /** KeyPackages that it was given and did not use. */
  readonly refused: IdentityRefused[] = []

  constructor(
    readonly http: Http,
    readonly record: DeviceRecord,
    /** Seconds since 1970. */
    now?: () => number,
  ) {
    http.renew = () => this.refresh()
    this.identities = new Identities(http, record.pins, now)
    this.own = new OwnIdentity(http, record, this.identities)
    this.proofs = new Proofs(http, record)
    this.certificates = new Certificates(http, record, now)
    // A device that was stored by a release before has none yet.
    http.prover = new Prover((record.proofKey ??= newProofKey()))
  }

  get client(): string {
    return this.record.client
  }
  get suites(): number[] {
    return [...this.record.keys.keys()]
  }

  /** A new account with this as its first device, and a new identity. @param words for a recovery key (`newRecoveryWords`), if there shall be one */
  async register(inviteCode?: string, words?: string): Promise<void> {
    const { nonce, signature_keys } = await this.proofs.possession('registration')
    const { user, client, certified } = this.record
    const list = certified ? await this.own.begin(words) : undefined
    const invite = inviteCode === undefined ? {} : { invite_code: inviteCode }
    const identity = list === undefined ? {} : { device_list: list }
    this.#keep(await this.http.post<Session>('/v1/accounts', { user, client, nonce, signature_keys, ...invite, ...identity }))
    if (list) this.own.accepted(list)
  }

  /** A new device of a user who has lost all others and has the words, or a passkey (`passkeyKey`). The lost ones it revokes then. */
  async recover(by: string | SigningKey): Promise<void> {
    const { user, client } = this.record
    const key = typeof by === 'string' ? recoveryKey(by) : by
    const { entries, head } = await this.http.post<DeviceListUpdate>('/v1/device-lists/recovery', await this.proofs.loginBy(key))
    this.identities.take(user, entries, head)
    const list = await this.own.certificateBy(key)
    const body = { user, client, ...(await this.proofs.possession('registration')), device_list: list }
    this.#keep(await this.http.post<Session>('/v1/accounts', body))
    this.own.accepted(list)
  }

  /** Another device of the same account vouches for `other`, which then logs in by itself. @param by a passkey that certifies it instead */
  async enrol(other: Device, by?: SigningKey): Promise<void> {
    if (this.own.exists) await enrolDevice(this, other, by)
    else await this.vouch({ client: other.client, ...(await other.proofs.possession('new-device')) })
    await other.login()
  }

  /** Without a device list: registers a device that has proven its keys, by a step-up proof. */
  async vouch(device: Possession & { client: string }): Promise<void> {
    const keys = device.signature_keys.map(({ scheme, public_key: publicKey }) => ({ scheme, publicKey }))
    await this.proofs.steppedUp('add-device', addedDeviceSubject(device.client, keys), (field) =>
      this.http.post('/v1/devices', device, field),
    )
  }

  /** @param device the last part of the client URI of a device of this account */
  async revoke(device: string): Promise<unknown> {
    const client = this.client.replace(/[^/]+$/, device)
    if (this.own.exists) return this.own.revoke([client])
    await this.proofs.steppedUp('revoke-device', client, (field) => this.http.delete(`/v1/devices/${device}`, field))
  }

  async login(): Promise<void> {
    const { nonce, signature_keys } = await this.proofs.possession('login', this.suites.slice(0, 1))
    const [proven] = signature_keys
    if (!proven) throw new Error('This device has no keys')
    const { scheme: _, ...proof } = proven
    this.#keep(await this.http.post<Session>('/v1/auth/sessions', { client: this.client, nonce, ...proof }))
    await this.#lookAtOwnList()
  }

  async #lookAtOwnList(): Promise<void> {
    if (!this.own.exists || !this.record.certified) return
    await lookAtOwnList(this)
    await this.own.renewHead()
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

  /** Makes and uploads `count` one-time KeyPackages per suite, and one of last resort (RFC 9420 §16.8). */
  async publishKeyPackages(count: number): Promise<void> {
    for (const id of this.suites) {
      const fresh = await Promise.all(Array.from({ length: count + 1 }, (_, index) => this.newKeyPackage(id, index === count)))
      const bytes = (lastResort: boolean) =>
        fresh.filter((one) => one.lastResort === lastResort).map((one) => encodeKeyPackageMessage(one.public))
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
    const { credential, notAfter } = await this.certificates.credential(suiteId)
    const made = await generateKeyPackageWithKey(
      credential,
      capabilities(this.suites, this.proposalTypes, this.record.certified ? [LEAF_CERTIFICATE] : []),
      lifetime(notAfter),
      [],
      signatureKeyPair,
      impl,
      this.leafExtensions(),
    )
    const ref = toHex(await makeKeyPackageRef(made.publicPackage, impl.hash))
    return { ref, suite: suiteId, public: made.publicPackage, private: made.privatePackage, lastResort }
  }

  /** What its leaves carry: its certificate, as the own list is now. */
  leafExtensions(): Extension[] {
    const certificate = this.record.certified ? this.own.leafCertificate() : undefined
    return certificate ? [{ extensionType: LEAF_CERTIFICATE, extensionData: certificate }] : []
  }

  /** Across providers a claim goes through the room's hub, and is signed. */
  async #request(target: string, cipherSuite: number, room: string): Promise<Uint8Array> {
    const keys = this.record.keys.get(cipherSuite)
    if (!keys) throw new Error(`This device has no key for cipher suite ${cipherSuite}`)
    const { user, client } = this.record
    return keyMaterialRequest({ user, client, target, room, cipherSuite }, keys, await suite(cipherSuite))
  }

  #keep(session: Session): void {
    this.http.accessToken = session.access_token
    this.http.bound = session.token_type === 'DPoP'
    this.record.refreshToken = session.refresh_token
  }
}

const providerOf = (uri: string): string | undefined => uri.split('/')[2]
