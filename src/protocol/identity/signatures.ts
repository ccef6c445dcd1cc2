import { sha256 } from '../sha256.js'
import { signContent, verifySignature } from '../mls/signature.js'
import { decodeWhole } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import type { ListKey } from './entry.js'

/** Who signs: a key, and for a passkey the RP ID that it is bound to. */
export interface Signer {
  readonly key: ListKey
  /** undefined: not a passkey. */
  readonly rpId?: string | undefined
}

/** PasskeySignature of docs/identity.md §2. */
export interface PasskeySignature {
  readonly authenticatorData: Uint8Array
  readonly clientDataJson: Uint8Array
  readonly signature: Uint8Array
}

/** User present and user verified (W3C Web Authentication Level 2 §6.1). */
const PRESENT_AND_VERIFIED = 0x05
const RP_ID_HASH_BYTES = 32

/** Whether a signature is the signer's over `SignContent` (RFC 9420 §5.1.2) of label and content. Never rejects. */
export function verifiedBy({ key, rpId }: Signer, label: string, content: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const signed = signContent(label, content)
  return rpId === undefined
    ? verifySignature(key.scheme, key.publicKey, signed, signature)
    : verifiedByPasskey(key, rpId, passkeyChallenge(signed), signature)
}

/** What a passkey is asked to sign instead of the content itself: 32 bytes, the `challenge` of the assertion. */
export function passkeyChallenge(signed: Uint8Array): Uint8Array {
  return new Uint8Array(sha256(signed))
}

/** A PasskeySignature, as it stands in `signature` of an entry. */
export function encodePasskeySignature({ authenticatorData, clientDataJson, signature }: PasskeySignature): Uint8Array {
  return new TlsWriter().opaque(authenticatorData).opaque(clientDataJson).opaque(signature).written()
}

/** W3C Web Authentication Level 2 §7.2, as far as it applies here: there is no session of a browser, and no counter is kept. */
async function verifiedByPasskey(key: ListKey, rpId: string, challenge: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const decoded = decodeWhole(signature, (reader) => ({
    authenticatorData: reader.opaque(),
    clientDataJson: reader.opaque(),
    signature: reader.opaque(),
  }))
  if (decoded.kind === 'malformed') return false
  const { authenticatorData, clientDataJson, signature: assertion } = decoded.value
  if (!answersChallenge(clientDataJson, { type: 'webauthn.get', challenge, rpId })) return false
  if (Buffer.compare(authenticatorData.subarray(0, RP_ID_HASH_BYTES), sha256(rpId)) !== 0) return false
  const flags = authenticatorData[RP_ID_HASH_BYTES] ?? 0
  if ((flags & PRESENT_AND_VERIFIED) !== PRESENT_AND_VERIFIED) return false
  return verifySignature(key.scheme, key.publicKey, Buffer.concat([authenticatorData, sha256(clientDataJson)]), assertion)
}

/** What the client data of a WebAuthn answer have to say. */
export interface ClientData {
  readonly type: 'webauthn.get' | 'webauthn.create'
  readonly challenge: Uint8Array
  readonly rpId: string
}

/**
 * The client data begin with type, challenge, origin and crossOrigin in this order and spelling, and are compared as bytes
 * (W3C Web Authentication Level 2 §5.8.1.1, §5.8.1.2):
 * JSON may say a thing twice, and two readers may hear different things.
 */
export function answersChallenge(clientDataJson: Uint8Array, { type, challenge, rpId }: ClientData): boolean {
  const expected = `{"type":"${type}","challenge":"${Buffer.from(challenge).toString('base64url')}","origin":"https://${rpId}"`
  const found = Buffer.from(clientDataJson).toString('utf8')
  if (!found.startsWith(expected)) return false
  const rest = found.slice(expected.length)
  return rest === '}' || /^,"crossOrigin":false[,}]/.test(rest)
}
