import { createCipheriv, createDecipheriv } from 'node:crypto'
import { AEAD_TAG_BYTES } from '../mls/hpke-key.js'

/** The AEADs that are spoken here, by OpenSSL's names. */
export type Aead = 'aes-128-gcm' | 'chacha20-poly1305'

/** Nonce length of both AEADs (RFC 9180 §7.3, Nn). */
export const AEAD_NONCE_BYTES = 12

/** Their numbers, and the sizes of their keys (RFC 9180 §7.3, Nk). */
const AEADS: Readonly<Record<Aead, { readonly id: number; readonly keyBytes: number }>> = {
  'aes-128-gcm': { id: 0x0001, keyBytes: 16 },
  'chacha20-poly1305': { id: 0x0003, keyBytes: 32 },
}

export interface AeadKey {
  readonly aead: Aead
  readonly key: Uint8Array
  readonly nonce: Uint8Array
}

/** Its number in the registry (RFC 9180 §7.3). */
export function aeadId(aead: Aead): number {
  return AEADS[aead].id
}

/** The size of its keys, in bytes (Nk). */
export function aeadKeyBytes(aead: Aead): number {
  return AEADS[aead].keyBytes
}

/** Undefined for a number that is not known here. */
export function aeadOf(id: number): Aead | undefined {
  if (id === AEADS['aes-128-gcm'].id) return 'aes-128-gcm'
  return id === AEADS['chacha20-poly1305'].id ? 'chacha20-poly1305' : undefined
}

/** The ciphertext, and its tag after it; without associated data. */
export function seal({ aead, key, nonce }: AeadKey, plaintext: Uint8Array): Uint8Array {
  // The types of Node.js tell the two apart only by name, and take one set of options for both.
  const cipher = createCipheriv(aead as 'chacha20-poly1305', key, nonce, { authTagLength: AEAD_TAG_BYTES })
  return new Uint8Array(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]))
}

/** Undefined for what was not sealed so. Never throws for any `sealed`. */
export function open({ aead, key, nonce }: AeadKey, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < AEAD_TAG_BYTES) return undefined
  const decipher = createDecipheriv(aead as 'chacha20-poly1305', key, nonce, { authTagLength: AEAD_TAG_BYTES })
  decipher.setAuthTag(sealed.subarray(-AEAD_TAG_BYTES))
  const plaintext = decipher.update(sealed.subarray(0, -AEAD_TAG_BYTES))
  try {
    return new Uint8Array(Buffer.concat([plaintext, decipher.final()]))
  } catch {
    return undefined // the tag is of other bytes, or of another key
  }
}
