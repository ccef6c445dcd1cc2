import { generateKeyPairSync, sign as signBytes, type KeyObject } from 'node:crypto'
import {
  defaultKeyPackageEqualityConfig,
  defaultLifetimeConfig,
  defaultPaddingConfig,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  type CiphersuiteImpl,
  type ClientConfig,
  type Credential,
} from 'ts-mls'
import { encodeCredential } from 'ts-mls/credential.js'
import { bytes, opaque, Reader } from './codec.js'

/** MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519: mandatory to implement (RFC 9420 §17.1), and the only one here. */
export const SUITE = 1
const NAME = 'MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'

let loaded: Promise<CiphersuiteImpl> | undefined
export const suite = (): Promise<CiphersuiteImpl> => (loaded ??= getCiphersuiteImpl(getCiphersuiteFromName(NAME)))

export const clientConfig: ClientConfig = {
  keyRetentionConfig: { retainKeysForGenerations: 64, retainKeysForEpochs: 16, maximumForwardRatchetSteps: 1_000 },
  lifetimeConfig: defaultLifetimeConfig,
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  paddingConfig: defaultPaddingConfig,
  authService: { validateCredential: () => Promise.resolve(true) },
}

/** A basic credential (RFC 9420 §5.3). */
export function basic(identity: string): Credential {
  return { credentialType: 'basic', identity: new Uint8Array(Buffer.from(identity)) }
}

export const encodedBasic = (identity: string): Uint8Array => encodeCredential(basic(identity))

/** The identity in a basic credential; empty for another kind. */
export function identityOf(credential: Credential): string {
  return credential.credentialType === 'basic' ? Buffer.from(credential.identity).toString() : ''
}

/** SignWithLabel's content (RFC 9420 §5.1.2). */
export function labelled(label: string, content: Uint8Array): Uint8Array {
  return bytes(opaque(`MLS 1.0 ${label}`), opaque(content))
}

/** An Ed25519 key of a provider. */
export class HubKey {
  readonly #private: KeyObject
  readonly publicKey: Uint8Array
  /** ExternalSender (RFC 9420 §12.1.8.1), encoded. */
  readonly sender: Uint8Array

  constructor(identity: string) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    this.#private = privateKey
    this.publicKey = new Uint8Array(Buffer.from(String(publicKey.export({ format: 'jwk' }).x), 'base64url'))
    this.sender = bytes(opaque(this.publicKey), encodedBasic(identity))
  }

  sign(label: string, content: Uint8Array): Uint8Array {
    return new Uint8Array(signBytes(null, labelled(label, content), this.#private))
  }
}

/** The senders in the data of an external_senders extension, `ExternalSender external_senders<V>`: their keys. */
export function externalSenderKeys(data: Uint8Array): Uint8Array[] {
  return new Reader(data).list((item) => {
    const key = item.opaque()
    item.u16()
    item.opaque()
    return key
  })
}
