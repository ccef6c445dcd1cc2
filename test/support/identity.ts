import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { encodeCertificatePath } from '../../src/protocol/identity/certificate-path.js'
import {
  ALL_RIGHTS,
  decodeEntry,
  encodeEntry,
  encodeEntryContent,
  ENTRY_LABEL,
  hashOfEntry,
  type DeviceCertificate,
  type EntryBody,
  type EntryContent,
  type ListKey,
} from '../../src/protocol/identity/entry.js'
import { encodeHead, encodeHeadContent, HEAD_LABEL, type HeadContent } from '../../src/protocol/identity/head.js'
import { schemeOfKey, signaturePublicKey, signWithLabel } from '../../src/protocol/mls/signature.js'

const DAY = 86_400n

/** Signs entries as number `number` of the list. */
export interface Holder {
  readonly number: number
  readonly key: KeyObject
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
      previous: last === undefined ? new Uint8Array() : hashOfEntry({ bytes: last }),
      time: this.time,
      signer: signer.number,
      body,
      ...wish,
    })
    return encodeEntry(content, await signWithLabel(signer.key, ENTRY_LABEL, content))
  }

  /** A device with one key and all rights, unless `wish` says otherwise. */
  async certify(signer: Holder, client: string, key: KeyObject, wish: Partial<DeviceCertificate> = {}): Promise<Holder> {
    await this.append(signer, { type: 'certificate', certificate: this.certificate(client, key, wish) })
    return { number: this.number, key }
  }

  certificate(client: string, key: KeyObject, wish: Partial<DeviceCertificate> = {}): DeviceCertificate {
    const [notBefore, notAfter] = [this.time - DAY, this.time + 300n * DAY]
    return { kind: 'device', subject: client, keys: [listKey(key)], rights: ALL_RIGHTS, notBefore, notAfter, ...wish }
  }

  async revoke(signer: Holder, revoked: number): Promise<Uint8Array> {
    return this.append(signer, { type: 'revocation', revoked })
  }

  /** A head of the list as it is now. */
  async head(signer: Holder, wish: Partial<HeadContent> = {}): Promise<Uint8Array> {
    const content = encodeHeadContent({
      user: this.user,
      number: this.number,
      hash: hashOfEntry({ bytes: this.entries.at(-1) ?? new Uint8Array() }),
      issuedAt: this.time,
      expiresAt: this.time + 30n * DAY,
      signer: signer.number,
      ...wish,
    })
    return encodeHead(content, await signWithLabel(signer.key, HEAD_LABEL, content))
  }

  /** Data of the LeafNode extension for the certificate in entry `number`. */
  path(number: number): Uint8Array {
    const path: Uint8Array[] = []
    for (let at = number; ;) {
      const bytes = this.entries[at - 1] ?? new Uint8Array()
      path.unshift(bytes)
      if (at === 1) return encodeCertificatePath(path)
      const decoded = decodeEntry(bytes)
      if (decoded.kind === 'malformed') throw new Error(`entry ${at} does not decode`)
      at = decoded.value.signer
    }
  }
}
