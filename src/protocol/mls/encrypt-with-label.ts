import { Chacha20Poly1305 } from '@hpke/chacha20poly1305'
import {
  Aes128Gcm,
  Aes256Gcm,
  CipherSuite,
  DhkemP256HkdfSha256,
  DhkemP384HkdfSha384,
  DhkemP521HkdfSha512,
  DhkemX25519HkdfSha256,
  HkdfSha256,
  HkdfSha384,
  HkdfSha512,
} from '@hpke/core'
import { DhkemX448HkdfSha512 } from '@hpke/dhkem-x448'
import { TlsWriter } from '../tls/writer.js'

/** The HPKE of each cipher suite of RFC 9420 §17.1. */
const HPKE_OF_SUITE: ReadonlyMap<number, () => CipherSuite> = new Map([
  [1, () => new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() })],
  [2, () => new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes128Gcm() })],
  [3, () => new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Chacha20Poly1305() })],
  [4, () => new CipherSuite({ kem: new DhkemX448HkdfSha512(), kdf: new HkdfSha512(), aead: new Aes256Gcm() })],
  [5, () => new CipherSuite({ kem: new DhkemP521HkdfSha512(), kdf: new HkdfSha512(), aead: new Aes256Gcm() })],
  [6, () => new CipherSuite({ kem: new DhkemX448HkdfSha512(), kdf: new HkdfSha512(), aead: new Chacha20Poly1305() })],
  [7, () => new CipherSuite({ kem: new DhkemP384HkdfSha384(), kdf: new HkdfSha384(), aead: new Aes256Gcm() })],
])

/** HPKECiphertext of RFC 9420 §7.6: the encapsulated key, and the AEAD's output with its tag. */
export interface HpkeCiphertext {
  readonly kemOutput: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Who can open it, and what it is bound to: `publicKey` is of the KEM of `suite`; `label` comes without its prefix "MLS 1.0 ". */
export interface Sealing {
  readonly suite: number
  readonly publicKey: Uint8Array
  readonly label: string
  readonly context: Uint8Array
}

/** EncryptWithLabel of RFC 9420 §5.1.3. Undefined for a suite that is not known, and for a key that is none of its KEM. */
export async function encryptWithLabel(
  { suite, publicKey, label, context }: Sealing,
  plaintext: Uint8Array,
): Promise<HpkeCiphertext | undefined> {
  const hpke = HPKE_OF_SUITE.get(suite)?.()
  if (!hpke) return undefined
  try {
    const recipientPublicKey = await hpke.kem.deserializePublicKey(bufferOf(publicKey))
    const info = new TlsWriter()
      .opaque(Buffer.from(`MLS 1.0 ${label}`))
      .opaque(context)
      .written()
    const { enc, ct } = await hpke.seal({ recipientPublicKey, info: bufferOf(info) }, bufferOf(plaintext))
    return { kemOutput: new Uint8Array(enc), ciphertext: new Uint8Array(ct) }
  } catch {
    return undefined // the only input that can be wrong is the key
  }
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
