import { createPrivateKey, createPublicKey, ECDH, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { ed448 } from '@noble/curves/ed448.js'
import { sha256, utf8 } from '../wire.js'
import type { ListKey } from './structures.js'
import { decodeAll, join, vector } from '../mls/tls.js'

export const ED25519 = 0x0807
const ED448 = 0x0808
export const P256 = 0x0403

const ECDSA: Readonly<Record<number, { curve: string; jwk: string; digest: string; size: number }>> = {
  [P256]: { curve: 'prime256v1', jwk: 'P-256', digest: 'sha256', size: 32 },
  0x0503: { curve: 'secp384r1', jwk: 'P-384', digest: 'sha384', size: 48 },
  0x0603: { curve: 'secp521r1', jwk: 'P-521', digest: 'sha512', size: 66 },
}

/** Schemes that this client can check. A key of another one has no unsound form that it knows of, and serves no leaf here. */
export const isKnownScheme = (scheme: number): boolean => scheme in ECDSA || scheme === ED25519 || scheme === ED448

/** Schemes that every client can check: what signs entries and heads is of one of them. */
export const isSigningKey = (key: ListKey): boolean => [ED25519, P256].includes(key.scheme) && isWrittenOut(key)

/** A list has points uncompressed, so that all readers see the same bytes. */
export const isWrittenOut = ({ scheme, publicKey }: ListKey): boolean => !(scheme in ECDSA) || publicKey[0] === 4

/** A key that signs: a private key, or what holds one. `sign` takes the `SignContent`. */
export interface SigningKey extends ListKey {
  /** Of a passkey. */
  rpId?: string
  sign(content: Uint8Array): Promise<Uint8Array>
}

/** `SignContent` of RFC 9420 §5.1.2. */
export const signContent = (label: string, content: Uint8Array): Uint8Array => join(vector(`MLS 1.0 ${label}`), vector(content))

/** SignWithLabel. */
export function signLabelled(key: SigningKey, label: string, content: Uint8Array): Promise<Uint8Array> {
  return key.sign(signContent(label, content))
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A fresh Ed25519 key, or the one of a seed of 32 bytes. */
export function ed25519Key(seed?: Uint8Array): SigningKey {
  const privateKey = seed
    ? createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' })
    : generateKeyPairSync('ed25519').privateKey
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return {
    scheme: ED25519,
    publicKey: new Uint8Array(spki.subarray(-32)),
    sign: async (content) => new Uint8Array(sign(null, content, privateKey)),
  }
}

/**
 * One spelling for each key; undefined for what is no sound one. A key of small order would accept one signature for everything. A point has a
 * short and a long form, and leaves of other stacks have the short one.
 */
export function spelling(key: ListKey): string | undefined {
  const name = `${key.scheme}:${Buffer.from(key.publicKey).toString('base64')}`
  if (spelt.size > 10_000) spelt.clear()
  if (!spelt.has(name)) spelt.set(name, spell(key))
  return spelt.get(name)
}

/** Whether a point is sound takes as long as a signature, and each leaf is asked before each message. */
const spelt = new Map<string, string | undefined>()

function spell({ scheme, publicKey }: ListKey): string | undefined {
  if (!isKnownScheme(scheme)) return `${scheme}:${Buffer.from(publicKey).toString('hex')}`
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

/**
 * The client data begin with these members in this order (WebAuthn §5.8.1.1), and are compared as bytes: JSON that says a thing twice is read in
 * two ways.
 */
function passkeyVerifies(key: ListKey, rpId: string, wanted: Uint8Array, signature: Uint8Array): boolean {
  const [authenticator, client, assertion] = decodeAll(signature, (reader) => [reader.opaque(), reader.opaque(), reader.opaque()] as const)
  const begin = `{"type":"webauthn.get","challenge":"${Buffer.from(sha256(wanted)).toString('base64url')}","origin":"https://${rpId}"`
  const said = Buffer.from(client).toString('utf8')
  if (!said.startsWith(begin) || !/^(\}|,"crossOrigin":false[,}])/u.test(said.slice(begin.length))) return false
  if (said[begin.length] === '}' && said.length > begin.length + 1) return false
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
