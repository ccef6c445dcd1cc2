import { ServerProblem, type Http } from '../http.js'
import type { DeviceRecord } from '../store.js'
import { deviceKeys, signingKey } from './device-keys.js'
import { finishEnrolment } from './enrolment.js'
import { Identities, type Known } from './identities.js'
import { ed25519Key, type SigningKey } from './keys.js'
import { active, activeDevice, hashAt, numberOf, same, type Held } from './list.js'
import { beginList, certificateOf, endOf, holderWith, makeEntry, makeHead, possessed } from './making.js'
import type { Author, Holder, ListEnd, MadeEntry } from './making.js'
import type { PasskeyAttestation } from './passkeys.js'
import { leafCertificateOf } from './leaf.js'
import { recoveryKey } from './recovery-words.js'
import { IdentityRefused } from './refused.js'
import { decodeEntry, decodeHead, hashOf, RIGHTS, type CertifiedKey, type DeviceListUpdate, type EntryBody } from './structures.js'

const RECOVERY: Holder = { kind: 'recovery-key', subject: '', rights: RIGHTS.enrol }
const firstDevice = (client: string): Holder => ({ kind: 'device', subject: client, rights: RIGHTS.all })

/** The device list of the own user, as one of its devices writes it. */
export class OwnIdentity {
  constructor(
    private readonly http: Http,
    private readonly record: DeviceRecord,
    readonly identities: Identities,
  ) {}

  /** The list as this device knows it. @throws IdentityRefused if there is none */
  get kept(): Known {
    const known = this.identities.kept(this.record.user)
    if (!known) throw new IdentityRefused('no-list', this.record.user)
    return known
  }
  get exists(): boolean {
    return this.record.pins.has(this.record.user)
  }

  /**
   * A new identity: its key signs the certificate of this device and, with words, that of a recovery key. Then it is gone: devices do the rest.
   * @param words 24 words that the user has written down
   */
  async begin(words?: string): Promise<DeviceListUpdate> {
    const { user, client } = this.record
    const now = this.identities.time
    const root = { number: 1, key: ed25519Key() }
    const first = await beginList(user, root.key, now)
    const made = [first, await this.#certify(first, root, firstDevice(client), await this.possess(first.end.hash))]
    if (words !== undefined) {
      const keys = await possessed(first.end.hash, RECOVERY, [recoveryKey(words)])
      made.push(await this.#certify(made.at(-1) ?? first, root, RECOVERY, keys))
    }
    return this.#headed(made, { number: 2, key: await signingKey(this.record) })
  }

  /** The own keys, each with its signature that this device holds it, for the one who certifies them. */
  async possess(identity: Uint8Array): Promise<CertifiedKey[]> {
    return possessed(identity, { kind: 'device', subject: this.record.client }, await deviceKeys(this.record))
  }

  /** The certificate of another device of this user, with the rights of this one. Nothing is sent. @param by a passkey, or another key of no device */
  async certificateFor(client: string, keys: readonly CertifiedKey[], by?: SigningKey): Promise<DeviceListUpdate> {
    const own = this.#own()
    const author = await this.#author()
    const signer = by ? holderWith(this.kept.list, by) : author
    const holder = { kind: 'device', subject: client, rights: own.rights } as const
    return this.#headed([await this.#certify(endOf(this.kept.list), signer, holder, keys)], author)
  }

  /** The certificate of this device, signed by the recovery key or a passkey after the loss of all others. Nothing is sent. */
  async certificateBy(key: SigningKey): Promise<DeviceListUpdate> {
    const { list } = this.kept
    const holder = firstDevice(this.record.client)
    const made = await this.#certify(endOf(list), holderWith(list, key), holder, await this.possess(list.identity))
    return this.#headed([made], { number: made.end.number, key: await signingKey(this.record) })
  }

  /** Ends the certificates of devices, and of what they certified from entry `since` on. The server revokes the devices with it. */
  revoke(clients: readonly string[], since = 0): Promise<number | undefined> {
    return this.change(async (author) => {
      const targets = active(this.kept.list).filter(({ subject }) => clients.includes(subject))
      return targets.map(({ number }): [Author, EntryBody] => [author, { type: 'revocation', revocation: { revoked: number, since } }])
    })
  }

  /** Certifies a registered device of this user that has no certificate yet, with the rights of this one. */
  certify(client: string, keys: readonly CertifiedKey[]): Promise<number | undefined> {
    const holder = { kind: 'device', subject: client, rights: this.#own().rights } as const
    return this.change(async (author) => [[author, certificateOf(holder, keys, this.identities.time)]])
  }

  /** Certifies a recovery key for words that the user has written down. */
  addRecoveryKey(words: string): Promise<number | undefined> {
    return this.change(async (author) => {
      return [
        [author, certificateOf(RECOVERY, await possessed(this.kept.list.identity, RECOVERY, [recoveryKey(words)]), this.identities.time)],
      ]
    })
  }

  /** A certificate of this device in the place of its present one, for the same keys. */
  async renewCertificate(): Promise<number | undefined> {
    return this.certify(this.record.client, await this.possess(this.kept.list.identity))
  }

  /** A new head when less than half of the time of the present one is left, of a list whose holders the user knows. @returns whether there is one */
  async renewHead(): Promise<boolean> {
    const { head, trouble } = this.kept
    const now = this.identities.time
    const mayWait = now < head.issuedAt + (head.expiresAt - head.issuedAt) / 2n
    if (mayWait || trouble || this.unseen().length > 0 || !(this.#own().rights & RIGHTS.attest)) return false
    const bytes = await makeHead(endOf(this.kept.list), await this.#author(), now, head.issuedAt + 1n)
    await this.http.put('/v1/device-list/head', { head: bytes })
    this.accepted({ entries: [], head: bytes })
    return true
  }

  /**
   * Signs and sends entries. When another device was first, reads its entries, and signs again behind them. What was signed is kept until the
   * server has it, and sent again byte for byte: nothing else is signed under its number.
   * @returns when it takes effect, in seconds since 1970, if it waits (docs/identity.md §7)
   */
  async change(entries: (author: Author) => Promise<[Author, EntryBody][]>, attestation?: PasskeyAttestation): Promise<number | undefined> {
    let waitsUntil: number | undefined
    await this.again(async () => {
      await finishEnrolment({ http: this.http, own: this, record: this.record })
      if (this.#isTaken()) return
      const signed = (this.record.signed ??= { ...(await this.#sign(entries)), ...(attestation ? { attestation } : {}) })
      if (signed.entries.length === 0) return void delete this.record.signed
      try {
        const { effective_at } = await this.http.post<{ effective_at?: number }>('/v1/device-list', signed)
        waitsUntil = effective_at
        if (waitsUntil === undefined) this.accepted(signed)
        delete this.record.signed
      } catch (error) {
        // Without an answer the server may have it; and where the list has changed, it may be by this.
        const open = !(error instanceof ServerProblem) || error.status >= 500 || error.kind === 'device-list-changed'
        if (!open) delete this.record.signed
        throw error
      }
    })
    return waitsUntil
  }

  /** Whether the last entry of this is in the list. */
  has({ entries }: Pick<DeviceListUpdate, 'entries'>): boolean {
    const entry = decodeEntry(entries.at(-1) ?? new Uint8Array())
    return same(hashAt(this.kept.list, entry.number), hashOf(entry))
  }

  /** Whether what was signed has come into the list. What has been signed for a number that the list gave to another entry is void. */
  #isTaken(): boolean {
    const { signed } = this.record
    const last = signed?.entries.at(-1)
    if (!signed || !last) return false
    const { number } = decodeEntry(last)
    if (numberOf(this.kept.list) < number) return false
    const taken = this.has(signed)
    if (taken) this.#seenUpTo(number, signed.entries.length)
    delete this.record.signed
    return taken
  }

  /** Does it once more, behind the new entries, when another device was first. */
  async again(work: () => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof ServerProblem && error.kind === 'device-list-changed') || attempt > 20) throw error
        await this.identities.of(this.record.user, { fresh: true })
      }
    }
  }

  /** After the server has taken what this device has signed: its user knows of that. A notice may have brought it here already. */
  accepted({ entries, head }: DeviceListUpdate): void {
    const { user } = this.record
    const known = this.record.pins.get(user)?.entries ?? []
    const { number } = decodeHead(head)
    const news = entries.filter((_, index) => number - entries.length + index >= known.length)
    if (number >= known.length) this.identities.take(user, [...known, ...news], head)
    this.#seenUpTo(number, entries.length)
  }

  /** The last `count` entries up to this one are by this device. Others before them stay as the user has seen them. */
  #seenUpTo(number: number, count: number): void {
    const pin = this.record.pins.get(this.record.user)
    if (pin && (pin.seen ?? 0) >= number - count) pin.seen = Math.max(pin.seen ?? 0, number)
  }

  /** Data of the leaf's extension. undefined: this device has no certificate. */
  leafCertificate(): Uint8Array | undefined {
    return this.exists ? leafCertificateOf(this.kept.list, this.record.client) : undefined
  }

  /** Holders of the own list that this user has not looked at yet. */
  unseen(): Held[] {
    const seen = this.record.pins.get(this.record.user)?.seen ?? 0
    return active(this.kept.list).filter(({ number, subject }) => number > seen && subject !== this.record.client)
  }

  /** The user has looked at all holders. */
  markSeen(): void {
    const pin = this.record.pins.get(this.record.user)
    if (pin) pin.seen = pin.entries.length
  }

  #own(): Held {
    const own = activeDevice(this.kept.list, this.record.client)
    if (!own) throw new IdentityRefused('invalid', this.record.user, { rule: 'entry-signer', about: 'this device has no certificate' })
    return own
  }

  async #author(): Promise<Author> {
    return { number: this.#own().number, key: await signingKey(this.record) }
  }

  async #sign(entries: (author: Author) => Promise<[Author, EntryBody][]>): Promise<DeviceListUpdate> {
    const author = await this.#author()
    const made: MadeEntry[] = []
    let [end, attests] = [endOf(this.kept.list), author]
    for (const [by, body] of await entries(author)) {
      const entry = await makeEntry(end, by, body, this.identities.time)
      made.push(entry)
      end = entry.end
      // The new certificate of this device ends the one before.
      if (body.type === 'certificate' && body.certificate.subject === this.record.client) attests = { ...author, number: end.number }
    }
    return this.#headed(made, attests)
  }

  async #headed(made: readonly MadeEntry[], by: Author): Promise<DeviceListUpdate> {
    const end = made.at(-1)?.end ?? endOf(this.kept.list)
    const pin = this.record.pins.get(this.record.user)
    const since = pin ? decodeHead(pin.head).issuedAt : 0n
    return { entries: made.map(({ bytes }) => bytes), head: await makeHead(end, by, this.identities.time, since) }
  }

  #certify(after: MadeEntry | ListEnd, by: Author, holder: Holder, keys: readonly CertifiedKey[]): Promise<MadeEntry> {
    return makeEntry('end' in after ? after.end : after, by, certificateOf(holder, keys, this.identities.time), this.identities.time)
  }
}
