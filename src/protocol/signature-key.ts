import { createPublicKey, ECDH, type KeyObject } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { ed448 } from '@noble/curves/ed448.js'
import { isImportable, MLDSA_SCHEMES, SIGNATURE_SCHEMES } from './mls/signature.js'

/** A public key as the directory keeps and compares it: Edwards and ML-DSA keys raw, ECDSA keys as uncompressed points (RFC 9420 §5.1.1). */
export interface SignatureKey {
  /** TLS SignatureScheme (RFC 8446 §4.2.3). */
  readonly scheme: number
  readonly publicKey: Uint8Array
}

interface Curve {
  readonly scheme: number
  /** OpenSSL's name, for the curves whose keys are points in SEC 1 form. */
  readonly curve?: string
}

/** No two forms of keys share a length, so a key tells its scheme. */
const CURVE_OF_LENGTH: ReadonlyMap<number, Curve> = new Map([
  [32, { scheme: SIGNATURE_SCHEMES.ed25519 }],
  [57, { scheme: SIGNATURE_SCHEMES.ed448 }],
  [1312, { scheme: MLDSA_SCHEMES.mldsa44 }],
  [1952, { scheme: MLDSA_SCHEMES.mldsa65 }],
  [2592, { scheme: MLDSA_SCHEMES.mldsa87 }],
  ...sec1(SIGNATURE_SCHEMES.ecdsaP256Sha256, 'prime256v1', 32),
  ...sec1(SIGNATURE_SCHEMES.ecdsaP384Sha384, 'secp384r1', 48),
  ...sec1(SIGNATURE_SCHEMES.ecdsaP521Sha512, 'secp521r1', 66),
])

/** The longest spelling of a public key: ML-DSA-87’s (FIPS 204, table 2). */
export const MAX_PUBLIC_KEY_BYTES = 2592

/** The longest signature: ML-DSA-87’s, too. */
export const MAX_SIGNATURE_BYTES = 4627

/**
 * One spelling per key, so that bytes can be compared: deployed clients send compressed points where RFC 9420 says
 * uncompressed. Undefined for what is no key of any scheme, a point off its curve included.
 */
export function canonicalKey(bytes: Uint8Array): SignatureKey | undefined {
  const curve = CURVE_OF_LENGTH.get(bytes.length)
  if (curve === undefined) return undefined
  if (curve.curve === undefined) return { scheme: curve.scheme, publicKey: bytes }
  const compressed = bytes[0] === 0x02 || bytes[0] === 0x03
  if (!compressed && bytes[0] !== 0x04) return undefined // the hybrid forms 06 and 07 would be a third spelling
  const publicKey = uncompressedPoint(bytes, curve.curve)
  return publicKey && { scheme: curve.scheme, publicKey }
}

/**
 * Whether a key may be registered. Beyond `canonicalKey`, an Edwards key must be a canonically encoded point (RFC 8032 §5.1.3) outside
 * the small subgroup: under a small-order key one signature can fit any message, so it would prove possession of nothing.
 */
export function isSoundKey({ scheme, publicKey }: SignatureKey): boolean {
  try {
    if (scheme === SIGNATURE_SCHEMES.ed25519) return !ed25519.Point.fromBytes(publicKey).isSmallOrder()
    if (scheme === SIGNATURE_SCHEMES.ed448) return !ed448.Point.fromBytes(publicKey).isSmallOrder()
    return canonicalKey(publicKey)?.scheme === scheme && isImportable(scheme, publicKey)
  } catch {
    return false
  }
}

function uncompressedPoint(bytes: Uint8Array, curve: string): Uint8Array | undefined {
  try {
    const point = ECDH.convertKey(bytes, curve, undefined, undefined, 'uncompressed')
    return typeof point === 'string' ? undefined : new Uint8Array(point)
  } catch {
    return undefined
  }
}

function sec1(scheme: number, curve: string, size: number): [number, Curve][] {
  return [
    [1 + size, { scheme, curve }],
    [1 + 2 * size, { scheme, curve }],
  ]
}

/** A public key of 32 raw bytes, as node:crypto takes it. @throws for another length */
export function ed25519Key(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') }, format: 'jwk' })
}
