import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { publicVerif } from '@cloudflare/privacypass-ts'
import { sha256 } from '../sha256.js'

const generate = promisify(generateKeyPair)

/** An issuer's public key in the forms that others see. */
export interface TokenKey {
  /** SubjectPublicKeyInfo with id-RSASSA-PSS (RFC 9578 §6.5). */
  readonly tokenKey: Uint8Array
  /** SHA-256 of it. */
  readonly keyId: Uint8Array
  /** The last byte of that, by which requests name their key. */
  readonly truncatedId: number
}

/** A new pair; some hundred milliseconds, in the thread pool. */
export function generateIssuerKey(): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  return generate('rsa', { modulusLength: 2048, publicExponent: 65_537 })
}

/** @param publicKey RSA, 2048 bits */
export function tokenKeyOf(publicKey: KeyObject): TokenKey {
  const tokenKey = publicVerif.convertEncToRSASSAPSS(new Uint8Array(publicKey.export({ format: 'der', type: 'spki' })))
  const keyId = new Uint8Array(sha256(tokenKey))
  return { tokenKey, keyId, truncatedId: keyId.at(-1) ?? 0 }
}

/** The key of a directory of another issuer; undefined if it is none that could verify a token. */
export function readTokenKey(tokenKey: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(publicVerif.convertRSASSAPSSToEnc(tokenKey)), format: 'der', type: 'spki' })
    return key.asymmetricKeyDetails?.modulusLength === 2048 ? key : undefined
  } catch {
    return undefined // not a key
  }
}
