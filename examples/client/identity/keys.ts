import { createPrivateKey, createPublicKey, ECDH, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { ed448 } from '@noble/curves/ed448.js'
import { sha256, utf8 } from '../wire.js'
import type { ListKey } from './structures.js'
import { decodeAll, join, vector } from './tls.js'

export const ED25519 = 0x0807
const ED448 = 0x0808
export const P256 = 0x0403

const ECDSA: Readonly<Record<number, { curve: string; jwk: string; digest: string; size: number }>> = {
  [P256]: { curve: 'prime256v1', jwk: 'P-256', digest: 'sha256', size: 32 },
  0x0503: { curve: 'secp384r1', jwk: 'P-384', digest: 'sha384', size: 48 },
  0x0603: { curve: 'secp521r1', jwk: 'P-521', digest: 'sha512', size: 66 },
}

/** A private key as a device keeps it: PKCS #8, or a bare Ed25519 seed of 32 bytes. */
export interface SigningKey extends ListKey {
  signKey: Uint8Array
}

/** `SignContent` of RFC 9420 §5.1.2. */
export const signContent = (label: string, content: Uint8Array): Uint8Array => join(vector(`MLS 1.0 ${label}`), vector(content))

/** SignWithLabel. */
export function signLabelled({ scheme, signKey }: SigningKey, label: string, content: Uint8Array): Uint8Array {
  return new Uint8Array(sign(ECDSA[scheme]?.digest, signContent(label, content), privateKey(signKey)))
}

/** A fresh Ed25519 key, or the one of a seed. */
export function ed25519Key(seed?: Uint8Array): SigningKey {
  const private_ = seed ? privateKey(seed) : generateKeyPairSync('ed25519').privateKey
  const spki = createPublicKey(private_).export({ format: 'der', type: 'spki' })
  const signKey = new Uint8Array(private_.export({ format: 'der', type: 'pkcs8' }))
  return { scheme: ED25519, publicKey: new Uint8Array(spki.subarray(-32)), signKey }
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

function privateKey(signKey: Uint8Array): KeyObject {
  const key = signKey.length === 32 ? Buffer.concat([PKCS8_ED25519, signKey]) : Buffer.from(signKey)
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

/**
 * One spelling for each key; undefined for what is no sound one. A key of small order would accept one signature for everything, and
 * a point has a short and a long form.
 */
export function spelling({ scheme, publicKey }: ListKey): string | undefined {
  try {
    const whole = scheme in ECDSA ? longPoint(scheme, publicKey) : publicKey
    if (scheme === ED25519 && ed25519.Point.fromBytes(whole).isSmallOrder()) return undefined
    if (scheme === ED448 && ed448.Point.fromBytes(whole).isSmallOrder()) return undefined
    imported({ scheme, publicKey: whole })
    return `${scheme}:${Buffer.from(whole).toString('hex')}`
  } catch {
    return undefined
  }
}

/** VerifyWithLabel by a plain key, or with an RP ID by a passkey (docs/identity.md §2). */
export function verifyLabelled(key: ListKey, rpId: string | undefined, label: string, content: Uint8Array, signature: Uint8Array): boolean {
  const wanted = signContent(label, content)
  try {
    return rpId === undefined ? verifies(key, wanted, signature) : passkeyVerifies(key, rpId, wanted, signature)
  } catch {
    return false
  }
}

function passkeyVerifies(key: ListKey, rpId: string, wanted: Uint8Array, signature: Uint8Array): boolean {
  const [authenticator, client, assertion] = decodeAll(signature, (reader) => [reader.opaque(), reader.opaque(), reader.opaque()] as const)
  const said = JSON.parse(new TextDecoder().decode(client)) as { type?: unknown; challenge?: unknown } | null
  if (said?.type !== 'webauthn.get' || said.challenge !== Buffer.from(sha256(wanted)).toString('base64url')) return false
  if (Buffer.compare(authenticator.slice(0, 32), sha256(utf8(rpId))) !== 0) return false
  // User present, and user verified.
  if (((authenticator[32] ?? 0) & 5) !== 5) return false
  return verifies(key, join(authenticator, sha256(client)), assertion)
}

function verifies(key: ListKey, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(ECDSA[key.scheme]?.digest, message, imported(key), signature)
}

/** @throws for what is no key of the scheme */
function imported({ scheme, publicKey }: ListKey): KeyObject {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  const ecdsa = ECDSA[scheme]
  if (ecdsa) {
    const point = longPoint(scheme, publicKey)
    const [x, y] = [point.subarray(1, 1 + ecdsa.size), point.subarray(1 + ecdsa.size)]
    return createPublicKey({ key: { kty: 'EC', crv: ecdsa.jwk, x: text(x), y: text(y) }, format: 'jwk' })
  }
  const curve = scheme === ED25519 ? 'Ed25519' : scheme === ED448 ? 'Ed448' : undefined
  if (curve === undefined) throw new Error('This client does not know the scheme of a key')
  return createPublicKey({ key: { kty: 'OKP', crv: curve, x: text(publicKey) }, format: 'jwk' })
}

/** @throws for a point that is not on the curve, and for the hybrid forms */
function longPoint(scheme: number, publicKey: Uint8Array): Buffer {
  const ecdsa = ECDSA[scheme]
  if (!ecdsa || ![2, 3, 4].includes(publicKey[0] ?? 0)) throw new Error('Not a point')
  return Buffer.from(ECDH.convertKey(publicKey, ecdsa.curve, undefined, undefined, 'uncompressed') as Buffer)
}
