import { ServerProblem, type Http } from '../http.js'
import { suite } from '../mls/suites.js'
import type { DeviceRecord } from '../store.js'
import { Identities, type Known } from './identities.js'
import { ed25519Key, spelling, type SigningKey } from './keys.js'
import { active, activeDevice, hashAt, numberOf, type Held, type VerifiedList } from './list.js'
import { beginList, makeEntry, makeHead, possessed, validity, type Author, type ListEnd, type MadeEntry } from './making.js'
import type { PasskeyAttestation } from './passkeys.js'
import { recoveryKey } from './recovery-words.js'
import { IdentityRefused } from './refused.js'
import { decodeHead, encodeLeafCertificate, RIGHTS, type Certificate, type CertifiedKey, type EntryBody } from './structures.js'

/** New entries and a head of the list with them, as the API takes them. */
export interface DeviceListUpdate {
  entries: Uint8Array[]
  head: Uint8Array
  attestation?: PasskeyAttestation
}

type Holder = Pick<Certificate, 'kind' | 'subject' | 'rights'>

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
    const own = { kind: 'device', subject: client, rights: RIGHTS.all } as const
    const made = [first, await this.#certify(first, root, own, await this.possess(first.end.hash))]
    if (words !== undefined) made.push(await this.#recovery(made.at(-1) ?? first, root, first.end.hash, words))
    return this.#headed(made, { number: 2, key: await this.#signingKey() })
  }

  /** The own keys, each with its signature that this device holds it, for the one who certifies them. */
  async possess(identity: Uint8Array): Promise<CertifiedKey[]> {
    return possessed(identity, { kind: 'device', subject: this.record.client }, await this.#keys())
  }

  /** The certificate of another device of this user, with the rights of this one. Nothing is sent. @param by a passkey, or another key of no device */
  async certificateFor(client: string, keys: readonly CertifiedKey[], by?: SigningKey): Promise<DeviceListUpdate> {
    const own = this.#own()
    const author = await this.#author()
    const signer = by ? this.#holder(by) : author
    return this.#headed([await this.#certify(this.#end(), signer, { kind: 'device', subject: client, rights: own.rights }, keys)], author)
  }

  /** The certificate of this device, signed by the recovery key or a passkey after the loss of all others. Nothing is sent. */
  async certificateBy(key: SigningKey): Promise<DeviceListUpdate> {
    const holder = { kind: 'device', subject: this.record.client, rights: RIGHTS.all } as const
    const made = await this.#certify(this.#end(), this.#holder(key), holder, await this.possess(this.kept.list.identity))
    return this.#headed([made], { number: made.end.number, key: await this.#signingKey() })
  }

  /** Ends the certificates of devices, and of what they certified from entry `since` on. The server revokes the devices with it. */
  async revoke(clients: readonly string[], since = 0): Promise<void> {
    await this.change(async (author) => {
      const targets = active(this.kept.list).filter(({ subject }) => clients.includes(subject))
      return targets.map(({ number }): [Author, EntryBody] => [author, { type: 'revocation', revocation: { revoked: number, since } }])
    })
  }

  /** Certifies a recovery key for words that the user has written down. */
  async addRecoveryKey(words: string): Promise<void> {
    await this.change(async (author) => {
      const keys = await possessed(this.kept.list.identity, { kind: 'recovery-key', subject: '' }, [recoveryKey(words)])
      return [[author, this.#body({ kind: 'recovery-key', subject: '', rights: RIGHTS.enrol }, keys)]]
    })
  }

  /** A certificate of this device in the place of its present one, for the same keys. */
  async renewCertificate(): Promise<void> {
    await this.change(async (author) => {
      const { rights } = this.#own()
      const keys = await this.possess(this.kept.list.identity)
      return [[author, this.#body({ kind: 'device', subject: this.record.client, rights }, keys)]]
    })
  }

  /** A new head when less than half of the time of the present one is left, of a list whose holders the user knows. @returns whether there is one */
  async renewHead(): Promise<boolean> {
    const { head, trouble } = this.kept
    const now = this.identities.time
    const mayWait = now < head.issuedAt + (head.expiresAt - head.issuedAt) / 2n
    if (mayWait || trouble || this.unseen().length > 0 || !(this.#own().rights & RIGHTS.attest)) return false
    const bytes = await makeHead(this.#end(), await this.#author(), now, head.issuedAt + 1n)
    await this.http.put('/v1/device-list/head', { head: bytes })
    this.accepted({ entries: [], head: bytes })
    return true
  }

  /**
   * Signs and sends entries. When another device was first, reads its entries, and signs again behind them. What was signed is kept until the
   * server has it, and sent again byte for byte: nothing else is signed under its number.
   */
  async change(entries: (author: Author) => Promise<[Author, EntryBody][]>, attestation?: PasskeyAttestation): Promise<void> {
    await this.again(async () => {
      this.record.signed ??= { ...(await this.#sign(entries)), ...(attestation ? { attestation } : {}) }
      try {
        await this.http.post('/v1/device-list', this.record.signed)
        this.accepted(this.record.signed)
        delete this.record.signed
      } catch (error) {
        // Only without an answer may the server have it.
        if (error instanceof ServerProblem) delete this.record.signed
        throw error
      }
    })
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

  /** After the server has taken what this device has signed: its user knows of that. */
  accepted({ entries, head }: DeviceListUpdate): void {
    const { user } = this.record
    const before = this.record.pins.get(user)
    const allSeen = (before?.seen ?? 0) === (before?.entries.length ?? 0)
    this.identities.take(user, [...(before?.entries ?? []), ...entries], head)
    if (allSeen) this.markSeen()
  }

  /** Data of the leaf's extension: the own certificate, and how far this device knows the list. undefined: it has none. */
  leafCertificate(): Uint8Array | undefined {
    if (!this.exists) return undefined
    const { list } = this.kept
    const own = activeDevice(list, this.record.client)
    const certificate = own && list.entries[own.number - 1]
    if (!certificate) return undefined
    const listNumber = numberOf(list)
    return encodeLeafCertificate({ identity: list.identity, listNumber, listHash: hashAt(list, listNumber), certificate })
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

  /** Who signs with a key of no device. */
  #holder(key: SigningKey): Author {
    const held = active(this.kept.list).find(({ kind, keys: [first] }) => kind !== 'device' && first && spelling(first) === spelling(key))
    if (!held) throw new Error('This is no recovery key and no passkey of this user')
    return { number: held.number, key }
  }

  async #author(): Promise<Author> {
    return { number: this.#own().number, key: await this.#signingKey() }
  }

  #end(): ListEnd {
    return endOf(this.kept.list)
  }

  async #sign(entries: (author: Author) => Promise<[Author, EntryBody][]>): Promise<DeviceListUpdate> {
    const author = await this.#author()
    const made: MadeEntry[] = []
    let [end, attests] = [this.#end(), author]
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
    const end = made.at(-1)?.end ?? this.#end()
    const pin = this.record.pins.get(this.record.user)
    const since = pin ? decodeHead(pin.head).issuedAt : 0n
    return { entries: made.map(({ bytes }) => bytes), head: await makeHead(end, by, this.identities.time, since) }
  }

  #body({ kind, subject, rights }: Holder, keys: readonly CertifiedKey[]): EntryBody {
    return { type: 'certificate', certificate: { kind, subject, rights, keys, ...validity(kind, this.identities.time) } }
  }

  #certify(after: MadeEntry | ListEnd, by: Author, holder: Holder, keys: readonly CertifiedKey[]): Promise<MadeEntry> {
    return makeEntry('end' in after ? after.end : after, by, this.#body(holder, keys), this.identities.time)
  }

  async #recovery(after: MadeEntry, by: Author, identity: Uint8Array, words: string): Promise<MadeEntry> {
    const holder = { kind: 'recovery-key', subject: '', rights: RIGHTS.enrol } as const
    return this.#certify(after, by, holder, await possessed(identity, holder, [recoveryKey(words)]))
  }

  async #signingKey(): Promise<SigningKey> {
    const [first] = await this.#keys()
    if (!first) throw new Error('A device has a key')
    return first
  }

  #keys(): Promise<SigningKey[]> {
    return Promise.all(
      [...this.record.keys].map(async ([id, { publicKey, signKey }]) => {
        const { scheme, impl } = await suite(id)
        return { scheme, publicKey, sign: (content: Uint8Array) => impl.signature.sign(signKey, content) }
      }),
    )
  }
}

function endOf(list: VerifiedList): ListEnd {
  const number = numberOf(list)
  return { user: list.user, number, hash: hashAt(list, number), time: list.entries.at(-1)?.time ?? 0n }
}
