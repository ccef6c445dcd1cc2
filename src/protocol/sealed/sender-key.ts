import { verify, type KeyObject } from 'node:crypto'
import { ed25519Key, isSoundKey } from '../signature-key.js'
import { SIGNATURE_SCHEMES } from '../mls/signature.js'
import { TlsWriter } from '../tls/writer.js'

/**
 * The sender key of an epoch, an Ed25519 key whose seed every member derives:
 * `MLS-Exporter("microchat sender key v1", group_id, 32)` (RFC 9420 §8.5). Here it is only ever seen as a public key.
 */
export const SENDER_KEY_LABEL = 'microchat sender key v1'

export interface SenderKeyClaim {
  readonly groupId: Uint8Array
  readonly epoch: bigint
  /** `mimi://<domain>/u/<user>`: who says that this is the key. */
  readonly user: string
  /** Raw. */
  readonly publicKey: Uint8Array
}

/** What the key itself signs, so that nobody can publish one that they do not have. */
export function possessionBytes({ groupId, epoch, user, publicKey }: SenderKeyClaim): Uint8Array {
  const [label, name] = [Buffer.from(SENDER_KEY_LABEL), Buffer.from(user)]
  return new TlsWriter().opaque(label).opaque(groupId).uint64(epoch).opaque(name).opaque(publicKey).written()
}

/** False also for bytes that are no key. */
export function provesPossession(claim: SenderKeyClaim, proof: Uint8Array): boolean {
  const key = senderKey(claim.publicKey)
  // Under a key of small order anything verifies.
  const sound = key !== undefined && isSoundKey({ scheme: SIGNATURE_SCHEMES.ed25519, publicKey: claim.publicKey })
  return sound && verify(null, possessionBytes(claim), key, proof)
}

/** Undefined for bytes that cannot be one. */
export function senderKey(publicKey: Uint8Array): KeyObject | undefined {
  if (publicKey.length !== 32) return undefined
  return ed25519Key(publicKey)
}
