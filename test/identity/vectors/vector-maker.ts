import { p256 } from '@noble/curves/nist.js'
import { ed25519Key, P256, type SigningKey } from '../../../examples/client/identity/keys.js'
import { DAY } from '../../../examples/client/identity/list.js'
import { beginList, makeEntry, makeHead, possessed, type Author, type ListEnd } from '../../../examples/client/identity/making.js'
import {
  decodeEntry,
  encodeLeafCertificate,
  hashOf,
  RIGHTS,
  type Certificate,
  type EntryBody,
} from '../../../examples/client/identity/structures.js'
import { join, vector } from '../../../examples/client/mls/tls.js'
import { sha256, utf8 } from '../../../examples/client/wire.js'

export const USER = 'mimi://a.example/u/alice'
export const NOW = 1_800_000_000n
export const client = (name: string): string => `mimi://a.example/d/alice/${name}`

const seed = (fill: number): Uint8Array => {
  const bytes = new Uint8Array(32).fill(fill)
  if (fill > 255) bytes[0] = fill >> 8
  return bytes
}

/** Ed25519 by a seed of 32 equal bytes; above 255 the first one is another. */
export const ed = (fill: number): SigningKey => ed25519Key(seed(fill))

/** P-256, with the deterministic signatures of RFC 6979. */
export function p256Key(fill: number, { compressed = false } = {}): SigningKey {
  const secret = seed(fill)
  const sign = async (content: Uint8Array) => p256.sign(sha256(content), secret, { prehash: false, format: 'der' })
  return { scheme: P256, publicKey: p256.getPublicKey(secret, compressed), sign }
}

/** An authenticator, as far as its signatures go (W3C Web Authentication Level 2 §6.3.3). */
export function passkey(fill: number, rpId: string, { flags = 5, more = '', origin = `https://${rpId}` } = {}): SigningKey {
  const key = p256Key(fill)
  const sign = async (content: Uint8Array): Promise<Uint8Array> => {
    const challenge = Buffer.from(sha256(content)).toString('base64url')
    const data = utf8(`{"type":"webauthn.get","challenge":"${challenge}","origin":"${origin}"${more}}`)
    const authenticator = join(sha256(utf8(rpId)), Uint8Array.of(flags, 0, 0, 0, 1))
    return join(vector(authenticator), vector(data), vector(await key.sign(join(authenticator, sha256(data)))))
  }
  return { ...key, sign }
}

/** A list that is written step by step, by the rules or against them. */
export class WrittenList {
  readonly entries: Uint8Array[] = []
  end!: ListEnd
  identity!: Uint8Array
  user = USER
  /** The clock of who writes, and of who reads. */
  now = NOW

  static async begin(key: SigningKey, user = USER): Promise<WrittenList> {
    const list = Object.assign(new WrittenList(), { user })
    const first = await beginList(user, key, NOW)
    list.#take(first)
    list.identity = first.end.hash
    return list
  }

  copy(): WrittenList {
    const list = new WrittenList()
    list.entries.push(...this.entries)
    return Object.assign(list, { end: this.end, identity: this.identity, now: this.now, user: this.user })
  }

  /** @returns the number of the entry */
  async append(by: Author, body: EntryBody, wish: Partial<ListEnd> & { time?: bigint } = {}): Promise<number> {
    const { time = this.now, ...end } = wish
    this.#take(await makeEntry({ ...this.end, ...end, ...(wish.time === undefined ? {} : { time: 0n }) }, by, body, time))
    return this.entries.length
  }

  async certify(by: Author, keys: readonly SigningKey[], wish: Partial<Certificate> = {}): Promise<number> {
    const holder = { kind: wish.kind ?? ('device' as const), subject: wish.subject ?? client('phone') }
    const certified = await possessed(this.identity, holder, keys)
    const usual = { rights: RIGHTS.all, notBefore: this.now - DAY, notAfter: this.now + 300n * DAY }
    return this.append(by, { type: 'certificate', certificate: { ...holder, keys: certified, ...usual, ...wish } })
  }

  revoke(by: Author, revoked: number, since = 0): Promise<number> {
    return this.append(by, { type: 'revocation', revocation: { revoked, since } })
  }

  head(by: Author, wish: Partial<ListEnd> & { time?: bigint } = {}): Promise<Uint8Array> {
    const { time = this.now, ...end } = wish
    return makeHead({ ...this.end, ...end, ...(wish.time === undefined ? {} : { time: 0n }) }, by, time)
  }

  /** Data of the LeafNode extension. */
  leaf(number: number, wish: { listNumber?: number; listHash?: Uint8Array; identity?: Uint8Array } = {}): Uint8Array {
    const { listNumber = this.entries.length, identity = this.identity } = wish
    const at = (one: number) => decodeEntry(this.entries[one - 1]!)
    const listHash = wish.listHash ?? hashOf(at(listNumber))
    return encodeLeafCertificate({ identity, listNumber, listHash, certificate: at(number) })
  }

  #take({ bytes, end }: { bytes: Uint8Array; end: ListEnd }): void {
    this.entries.push(bytes)
    this.end = end
  }
}
