import { createECDH, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { SCHEME_OF_SUITE, SIGNATURE_SCHEMES, signaturePublicKey } from '../../../src/protocol/mls/signature.js'
import { SUITES } from './suite.js'

export const SUITE = 1

export interface Key {
  readonly privateKey: KeyObject
  readonly publicKey: Uint8Array
}

/** A signature key of a suite. */
export function newKey(suite = SUITE): Key {
  const { privateKey } = generate(SCHEME_OF_SUITE.get(suite))
  return { privateKey, publicKey: signaturePublicKey(privateKey) }
}

/** An HPKE public key of a suite, whose private key nobody has. */
export function newHpkeKey(suite = SUITE): Uint8Array {
  const curve = SUITES.get(suite)?.kem.curve ?? 'x25519'
  if (curve === 'x25519') return new Uint8Array(randomBytes(32))
  if (curve === 'x448') return new Uint8Array(randomBytes(56))
  const ecdh = createECDH(curve)
  return new Uint8Array(ecdh.generateKeys())
}

function generate(scheme: number | undefined): { privateKey: KeyObject } {
  switch (scheme) {
    case SIGNATURE_SCHEMES.ecdsaP256Sha256:
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case SIGNATURE_SCHEMES.ecdsaP384Sha384:
      return generateKeyPairSync('ec', { namedCurve: 'P-384' })
    case SIGNATURE_SCHEMES.ecdsaP521Sha512:
      return generateKeyPairSync('ec', { namedCurve: 'P-521' })
    case SIGNATURE_SCHEMES.ed448:
      return generateKeyPairSync('ed448')
    default:
      return generateKeyPairSync('ed25519')
  }
}
