import { createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { TlsWriter } from '../tls/writer.js'

/** TLS SignatureScheme values that MLS cipher suites use (RFC 8446 §4.2.3, RFC 9420 §17.1). */
export const SIGNATURE_SCHEMES = {
  ecdsaP256Sha256: 0x0403,
  ecdsaP384Sha384: 0x0503,
  ecdsaP521Sha512: 0x0603,
  ed25519: 0x0807,
  ed448: 0x0808,
} as const

/**
 * Those of draft-ietf-mls-pq-ciphersuites besides (draft-ietf-tls-mldsa, FIPS 204). Devices may register keys of them, which serves private
 * groups; the suites themselves the server does not know. Node before 24.6 has no ML-DSA: there no such key can be registered.
 */
export const MLDSA_SCHEMES = { mldsa44: 0x0904, mldsa65: 0x0905, mldsa87: 0x0906 } as const

/** Which signature scheme each cipher suite of RFC 9420 §17.1 signs with. */
export const SCHEME_OF_SUITE: ReadonlyMap<number, number> = new Map([
  [1, SIGNATURE_SCHEMES.ed25519],
  [2, SIGNATURE_SCHEMES.ecdsaP256Sha256],
  [3, SIGNATURE_SCHEMES.ed25519],
  [4, SIGNATURE_SCHEMES.ed448],
  [5, SIGNATURE_SCHEMES.ecdsaP521Sha512],
  [6, SIGNATURE_SCHEMES.ed448],
  [7, SIGNATURE_SCHEMES.ecdsaP384Sha384],
])

interface Scheme {
  /** Name as `KeyObject.asymmetricKeyDetails.namedCurve` or `asymmetricKeyType` gives it. */
  readonly nodeName: string
  /** undefined for Edwards curves and ML-DSA, which hash by themselves. */
  readonly digest: 'sha256' | 'sha384' | 'sha512' | undefined
  /** DER of AlgorithmIdentifier: what stands before the BIT STRING in a SubjectPublicKeyInfo. */
  readonly algorithm: Buffer
  /** Bytes of one coordinate, or of the whole key where it is not a point of SEC 1. */
  readonly size: number
}

const EC_PUBLIC_KEY = '06072a8648ce3d0201'

const SCHEMES: ReadonlyMap<number, Scheme> = new Map([
  [SIGNATURE_SCHEMES.ecdsaP256Sha256, ecdsa('prime256v1', 'sha256', `3013${EC_PUBLIC_KEY}06082a8648ce3d030107`, 32)],
  [SIGNATURE_SCHEMES.ecdsaP384Sha384, ecdsa('secp384r1', 'sha384', `3010${EC_PUBLIC_KEY}06052b81040022`, 48)],
  [SIGNATURE_SCHEMES.ecdsaP521Sha512, ecdsa('secp521r1', 'sha512', `3010${EC_PUBLIC_KEY}06052b81040023`, 66)],
  [SIGNATURE_SCHEMES.ed25519, raw('ed25519', '300506032b6570', 32)],
  [SIGNATURE_SCHEMES.ed448, raw('ed448', '300506032b6571', 57)],
  [MLDSA_SCHEMES.mldsa44, raw('ml-dsa-44', '300b0609608648016503040311', 1312)],
  [MLDSA_SCHEMES.mldsa65, raw('ml-dsa-65', '300b0609608648016503040312', 1952)],
  [MLDSA_SCHEMES.mldsa87, raw('ml-dsa-87', '300b0609608648016503040313', 2592)],
])

/**
 * Whether `signature` is `publicKey`'s over `message`, checked in the thread pool. False for an unknown scheme and for a
 * key or signature of any wrong shape: it never rejects. ECDSA signatures are DER (RFC 9420 §5.1.2); an ECDSA key is an
 * uncompressed point (§5.1.1), and a compressed one is taken too because deployed clients send it.
 */
export async function verifySignature(scheme: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const details = SCHEMES.get(scheme)
  const key = details && importPublicKey(details, publicKey)
  if (key === undefined) return false
  return new Promise((resolve) => {
    try {
      verify(details?.digest, message, key, signature, (error, valid) => resolve(error === null && valid))
    } catch {
      resolve(false)
    }
  })
}

/** VerifyWithLabel of RFC 9420 §5.1.2; `label` without its prefix "MLS 1.0 ". False where `verifySignature` is: it never rejects. */
export function verifyWithLabel(
  scheme: number,
  publicKey: Uint8Array,
  label: string,
  content: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return verifySignature(scheme, publicKey, signContent(label, content), signature)
}

/** SignWithLabel of RFC 9420 §5.1.2, in the thread pool; `label` without "MLS 1.0 ". Rejects for a key that `schemeOfKey` does not know. */
export async function signWithLabel(privateKey: KeyObject, label: string, content: Uint8Array): Promise<Uint8Array> {
  const digest = SCHEMES.get(schemeOfKey(privateKey))?.digest
  return new Promise((resolve, reject) => {
    sign(digest, signContent(label, content), privateKey, (error, signature) => {
      if (error === null) resolve(signature)
      else reject(error)
    })
  })
}

/** The TLS SignatureScheme (RFC 8446 §4.2.3) that a private or public key signs with. @throws TypeError if MLS has none for it */
export function schemeOfKey(key: KeyObject): number {
  const name = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType
  for (const [scheme, details] of SCHEMES) if (details.nodeName === name) return scheme
  throw new TypeError('no MLS signature scheme uses this kind of key')
}

/**
 * The SignaturePublicKey (RFC 9420 §5.1.1) that belongs to a private or public key: raw bytes, or an uncompressed point.
 * @throws TypeError for a key that `schemeOfKey` does not know
 */
export function signaturePublicKey(key: KeyObject): Uint8Array {
  const details = SCHEMES.get(schemeOfKey(key))
  const der = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })
  if (details === undefined) throw new TypeError('no MLS signature scheme uses this kind of key')
  return new Uint8Array(der.subarray(der.length - (details.digest === undefined ? details.size : 1 + 2 * details.size)))
}

/** `SignContent` of RFC 9420 §5.1.2, the bytes that are signed; `label` without its prefix "MLS 1.0 ". */
export function signContent(label: string, content: Uint8Array): Uint8Array {
  return new TlsWriter()
    .opaque(Buffer.from(`MLS 1.0 ${label}`))
    .opaque(content)
    .written()
}

/** Whether this Node can use a SignaturePublicKey of this scheme, so that its signatures can be checked. Never throws. */
export function isImportable(scheme: number, publicKey: Uint8Array): boolean {
  return importSignatureKey(scheme, publicKey) !== undefined
}

/** A SignaturePublicKey (RFC 9420 §5.1.1) as node:crypto has it; undefined where `isImportable` is false. */
export function importSignatureKey(scheme: number, publicKey: Uint8Array): KeyObject | undefined {
  const details = SCHEMES.get(scheme)
  return details && importPublicKey(details, publicKey)
}

function importPublicKey(scheme: Scheme, publicKey: Uint8Array): KeyObject | undefined {
  if (!hasLegalShape(scheme, publicKey)) return undefined
  const bitString = derValue(0x03, Buffer.concat([Buffer.of(0), publicKey]))
  try {
    return createPublicKey({ key: derValue(0x30, Buffer.concat([scheme.algorithm, bitString])), format: 'der', type: 'spki' })
  } catch {
    return undefined // a point that is not on the curve, or a kind of key that this Node does not know
  }
}

function hasLegalShape(scheme: Scheme, publicKey: Uint8Array): boolean {
  if (scheme.digest === undefined) return publicKey.length === scheme.size
  if (publicKey[0] === 0x04) return publicKey.length === 1 + 2 * scheme.size
  return (publicKey[0] === 0x02 || publicKey[0] === 0x03) && publicKey.length === 1 + scheme.size
}

/** DER tag, length, value; the values here are shorter than 65,536 bytes. */
function derValue(tag: number, value: Buffer): Buffer {
  const { length } = value
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : long)]), value])
}

function ecdsa(nodeName: string, digest: 'sha256' | 'sha384' | 'sha512', algorithm: string, size: number): Scheme {
  return { nodeName, digest, algorithm: Buffer.from(algorithm, 'hex'), size }
}

function raw(nodeName: string, algorithm: string, size: number): Scheme {
  return { nodeName, digest: undefined, algorithm: Buffer.from(algorithm, 'hex'), size }
}
