import { constants, createHmac, sign, timingSafeEqual, verify, type KeyObject } from 'node:crypto'

/** RFC 9421 §3.3. This server signs with Ed25519 only; the others are here for the one who reads its vectors. */
export type HttpSignatureAlgorithm =
  'ed25519' | 'ecdsa-p256-sha256' | 'ecdsa-p384-sha384' | 'rsa-pss-sha512' | 'rsa-v1_5-sha256' | 'hmac-sha256'

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }
const ECDSA = { dsaEncoding: 'ieee-p1363' } as const

/** The signature over a base (RFC 9421 §3.3.6), 64 bytes. @throws RangeError for a key that is not Ed25519 */
export function signBase(algorithm: 'ed25519', key: KeyObject, base: Uint8Array): Uint8Array {
  if (key.asymmetricKeyType !== algorithm) throw new RangeError('not an Ed25519 key')
  return new Uint8Array(sign(null, base, key))
}

/** False also for a key that is not one of the algorithm. */
export function verifyBase(algorithm: HttpSignatureAlgorithm, key: KeyObject, base: Uint8Array, signature: Uint8Array): boolean {
  const type = key.asymmetricKeyType
  switch (algorithm) {
    case 'ed25519':
      return type === 'ed25519' && verify(null, base, key, signature)
    case 'ecdsa-p256-sha256':
      return type === 'ec' && verify('sha256', base, { key, ...ECDSA }, signature)
    case 'ecdsa-p384-sha384':
      return type === 'ec' && verify('sha384', base, { key, ...ECDSA }, signature)
    case 'rsa-pss-sha512':
      return (type === 'rsa' || type === 'rsa-pss') && verify('sha512', base, { key, ...PSS }, signature)
    case 'rsa-v1_5-sha256':
      return type === 'rsa' && verify('sha256', base, key, signature)
    case 'hmac-sha256': {
      const expected = key.type === 'secret' ? createHmac('sha256', key).update(base).digest() : undefined
      return expected?.length === signature.length && timingSafeEqual(expected, signature)
    }
  }
}
