import { createPrivateKey, createPublicKey } from 'node:crypto'
import { isUsableHpkeKey } from '../mls/hpke-key.js'
import { decodeWhole, Malformed, TlsReader, type Decoded } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { aeadId, aeadOf, type Aead } from './aead.js'

/** DHKEM(X25519, HKDF-SHA256) and HKDF-SHA256 (RFC 9180 §7.1, §7.2): the only ones that are spoken here. */
export const KEM_ID = 0x0020
export const KDF_ID = 0x0001

export const X25519_KEY_BYTES = 32

/** The cipher suite of RFC 9420 that has the same KEM. */
const MLS_SUITE_OF_KEM = 1
const MAX_CONFIGS = 64
const ALGORITHM_BYTES = 4

/** A gateway's key as its clients know it (RFC 9458 §3.1). */
export interface KeyConfig {
  /** One byte. */
  readonly id: number
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array
  /** AEADs, each with HKDF-SHA256, in the order of the gateway's preference. At least one. */
  readonly aeads: readonly Aead[]
}

/** `application/ohttp-keys` (RFC 9458 §3.2). The one to use first is first. @throws RangeError for what is no configuration */
export function encodeKeyConfigs(configs: readonly KeyConfig[]): Uint8Array {
  const writer = new TlsWriter()
  for (const { id, publicKey, aeads } of configs) {
    if (publicKey.length !== X25519_KEY_BYTES || aeads.length === 0) throw new RangeError('not a key configuration')
    const config = new TlsWriter().uint8(id).uint16(KEM_ID).raw(publicKey)
    config.uint16(aeads.length * ALGORITHM_BYTES)
    for (const aead of aeads) config.uint16(KDF_ID).uint16(aeadId(aead))
    const encoded = config.written()
    writer.uint16(encoded.length).raw(encoded)
  }
  return writer.written()
}

/**
 * `application/ohttp-keys` (RFC 9458 §3.2). Configurations and algorithms that are not known here are left out, as gateways may offer
 * newer ones besides, so the list can be empty. Malformed if a length is wrong anywhere, or an X25519 key cannot be encrypted to.
 */
export function decodeKeyConfigs(bytes: Uint8Array): Decoded<KeyConfig[]> {
  return decodeWhole(bytes, (reader) => {
    const configs: KeyConfig[] = []
    for (let count = 0; reader.remaining > 0; count++) {
      if (count === MAX_CONFIGS) throw new Malformed(`there are more than ${MAX_CONFIGS} key configurations`)
      const config = readConfig(new TlsReader(reader.fixed(reader.uint16())))
      if (config) configs.push(config)
    }
    return configs
  })
}

function readConfig(reader: TlsReader): KeyConfig | undefined {
  const id = reader.uint8()
  // How long another KEM's key is, is not known here, so the rest cannot be read.
  if (reader.uint16() !== KEM_ID) return undefined
  const publicKey = reader.fixed(X25519_KEY_BYTES)
  if (!isUsableHpkeKey(MLS_SUITE_OF_KEM, publicKey)) throw new Malformed('a key is none to encrypt to')
  const length = reader.uint16()
  if (length === 0 || length !== reader.remaining) throw new Malformed('the algorithms have a wrong length')
  const aeads = new Set<Aead>()
  while (reader.remaining > 0) {
    const [kdf, aead] = [reader.uint16(), aeadOf(reader.uint16())]
    if (kdf === KDF_ID && aead) aeads.add(aead)
  }
  return aeads.size > 0 ? { id, publicKey, aeads: [...aeads] } : undefined
}

/** PKCS #8 of an X25519 key, up to its 32 bytes (RFC 8410 §7). */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** @param privateKey X25519, 32 bytes @throws RangeError for another length */
export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  if (privateKey.length !== X25519_KEY_BYTES) throw new RangeError('not an X25519 key')
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, privateKey]), format: 'der', type: 'pkcs8' })
  return new Uint8Array(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url'))
}
