import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { encodeLeafCertificate } from '../../../src/protocol/identity/leaf-certificate.js'
import {
  ALL_RIGHTS,
  decodeEntry,
  encodeEntry,
  encodeEntryContent,
  ENTRY_LABEL,
  hashOfEntry,
  POSSESSION_LABEL,
  possessionContent,
  type CertifiedKey,
  type DeviceCertificate,
  type EntryBody,
  type EntryContent,
  type HolderKind,
  type ListKey,
} from '../../../src/protocol/identity/entry.js'
import { encodeHead, encodeHeadContent, HEAD_LABEL, type HeadContent } from '../../../src/protocol/identity/head.js'
import { encodePasskeySignature, passkeyChallenge } from '../../../src/protocol/identity/signatures.js'
import { schemeOfKey, signaturePublicKey, signContent, signWithLabel } from '../../../src/protocol/mls/signature.js'
import { sha256 } from '../../../src/protocol/sha256.js'

const DAY = 86_400n

/** Signs entries as number `number` of the list. */
export interface Holder {
  readonly number: number
  readonly key: KeyObject
  /** Of a passkey. */
  readonly rpId?: string
}

/** What an authenticator and a browser would say otherwise than they should. */
export interface AssertionWish {
  type?: string
  challenge?: string
  origin?: string
  rpId?: string
  flags?: number
  json?: string
}

/** A signature as a passkey makes it (W3C Web Authentication Level 2 §6.3.3), of a software authenticator. */
export function passkeySignature(key: KeyObject, rpId: string, signed: Uint8Array, wish: AssertionWish = {}): Uint8Array {
  const challenge = wish.challenge ?? Buffer.from(passkeyChallenge(signed)).toString('base64url')
  const client = { type: wish.type ?? 'webauthn.get', challenge, origin: wish.origin ?? `https://${rpId}`, crossOrigin: false }
  const clientDataJson = Buffer.from(wish.json ?? JSON.stringify(client))
  const authenticatorData = Buffer.concat([sha256(wish.rpId ?? rpId), Buffer.of(wish.flags ?? 0x05), Buffer.alloc(4)])
  const digest = key.asymmetricKeyType === 'ec' ? 'sha256' : null
  const signature = sign(digest, Buffer.concat([authenticatorData, sha256(clientDataJson)]), key)
  return encodePasskeySignature({ authenticatorData, clientDataJson, signature })
}

async function signAs({ key, rpId }: Pick<Holder, 'key' | 'rpId'>, label: string, content: Uint8Array): Promise<Uint8Array> {
  return rpId === undefined ? signWithLabel(key, label, content) : passkeySignature(key, rpId, signContent(label, content))
}

/** An Ed25519 or P-256 private key. @param seed 32 bytes, for vectors; undefined: a fresh key */
export function privateKey(seed?: Uint8Array): KeyObject {
  if (seed === undefined) return generateKeyPairSync('ed25519').privateKey
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}

export function listKey(key: KeyObject): ListKey {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return { scheme: schemeOfKey(publicKey), publicKey: signaturePublicKey(publicKey) }
}

/** Now, as entries have it. */
export const seconds = (): bigint => BigInt(Math.floor(Date.now() / 1000))

/** Writes a device list the way a user's clients do, and, where `wish` says so, any other way. */
export class ListMaker {
  readonly entries: Uint8Array[] = []
  readonly root: Holder

  private constructor(
    readonly user: string,
    key: KeyObject,
    public time: bigint,
  ) {
    this.root = { number: 1, key }
  }

  /** A list with entry 1. */
  static async begin(user: string, key = privateKey(), time = seconds()): Promise<ListMaker> {
    const maker = new ListMaker(user, key, time)
    await maker.append(maker.root, { type: 'identity', identityKey: listKey(key) })
    return maker
  }

  get number(): number {
    return this.entries.length
  }

  /** `wish` replaces what a right entry would say. @returns the whole entry */
  async append(signer: Holder, body: EntryBody, wish: Partial<EntryContent> = {}): Promise<Uint8Array> {
    const entry = await this.make(signer, body, wish)
    this.entries.push(entry)
    return entry
  }

  /** The next entry, not appended. */
  async make(signer: Holder, body: EntryBody, wish: Partial<EntryContent> = {}): Promise<Uint8Array> {
    const last = this.entries.at(-1)
    const content = encodeEntryContent({
      user: this.user,
      number: this.number + 1,
      previous: last === undefined ? new Uint8Array() : hashOf(last),
      time: this.time,
      signer: signer.number,
      body,
      ...wish,
    })
    return encodeEntry(content, await signAs(signer, ENTRY_LABEL, content))
  }

  /** A device with one key and all rights, unless `wish` says otherwise. */
  async certify(signer: Holder, client: string, key: KeyObject, wish: Partial<DeviceCertificate> = {}): Promise<Holder> {
    await this.append(signer, { type: 'certificate', certificate: await this.certificate(client, [key], wish) })
    return { number: this.number, key, ...(wish.kind === 'passkey' ? { rpId: client } : {}) }
  }

  /** @param keys private ones, each of which proves its possession */
  async certificate(subject: string, keys: readonly KeyObject[], wish: Partial<DeviceCertificate> = {}): Promise<DeviceCertificate> {
    const [notBefore, notAfter] = [this.time - DAY, this.time + 300n * DAY]
    const kind = wish.kind ?? 'device'
    const certified = await Promise.all(keys.map((key) => this.possessed(key, kind, subject)))
    return { kind, subject, keys: certified, rights: ALL_RIGHTS, notBefore, notAfter, ...wish }
  }

  /** A key with the proof that it is its owner's wish to be certified here. */
  async possessed(key: KeyObject, kind: HolderKind, subject: string): Promise<CertifiedKey> {
    const holder = kind === 'passkey' ? { key, rpId: subject } : { key }
    const possession = await signAs(holder, POSSESSION_LABEL, possessionContent(this.identity, kind, subject))
    return { ...listKey(key), possession }
  }

  get identity(): Uint8Array {
    return hashOf(this.entries[0] ?? new Uint8Array())
  }

  async revoke(signer: Holder, revoked: number, since = 0): Promise<Uint8Array> {
    return this.append(signer, { type: 'revocation', revocation: { revoked, since } })
  }

  /** A head of the list as it is now. */
  async head(signer: Holder, wish: Partial<HeadContent> = {}): Promise<Uint8Array> {
    const content = encodeHeadContent({
      user: this.user,
      number: this.number,
      hash: hashOf(this.entries.at(-1) ?? new Uint8Array()),
      issuedAt: this.time,
      expiresAt: this.time + 30n * DAY,
      signer: signer.number,
      ...wish,
    })
    return encodeHead(content, await signAs(signer, HEAD_LABEL, content))
  }

  /** Data of the LeafNode extension for the certificate in entry `number`, by a device that knows all entries. */
  leafCertificate(number: number, listNumber = this.number): Uint8Array {
    const entry = (at: number): Uint8Array => this.entries[at - 1] ?? new Uint8Array()
    return encodeLeafCertificate(this.identity, listNumber, hashOf(entry(listNumber)), entry(number))
  }
}

function hashOf(bytes: Uint8Array): Uint8Array {
  const decoded = decodeEntry(bytes)
  if (decoded.kind === 'malformed') throw new Error(decoded.reason)
  return hashOfEntry(decoded.value)
}
