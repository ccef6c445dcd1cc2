import { hkdfSync } from 'node:crypto'
import { AEAD_NONCE_BYTES, aeadKeyBytes, open, seal, type Aead, type AeadKey } from './aead.js'

/** What the exporter of the request's HPKE context is asked for (RFC 9458 §4.4). */
export const RESPONSE_LABEL = 'message/bhttp response'

/** What both sides know of a request, once it is encapsulated or opened. */
export interface ResponseSecret {
  readonly aead: Aead
  /** The request's encapsulated key. */
  readonly enc: Uint8Array
  /** Exported with RESPONSE_LABEL, `responseNonceBytes` long. */
  readonly secret: Uint8Array
}

/** `max(Nn, Nk)` of RFC 9458 §4.4, which is the length of the exported secret as well. */
export function responseNonceBytes(aead: Aead): number {
  return Math.max(AEAD_NONCE_BYTES, aeadKeyBytes(aead))
}

/** An Encapsulated Response (RFC 9458 §4.4). @param nonce `responseNonceBytes` long, random, for this response only */
export function encapsulateResponse(secret: ResponseSecret, nonce: Uint8Array, response: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([nonce, seal(responseKey(secret, nonce), response)]))
}

/** Undefined for bytes that are no answer to the request. Never throws for any `message`: of one that is too short for a nonce, no tag is left. */
export function decapsulateResponse(secret: ResponseSecret, message: Uint8Array): Uint8Array | undefined {
  const nonceBytes = responseNonceBytes(secret.aead)
  return open(responseKey(secret, message.subarray(0, nonceBytes)), message.subarray(nonceBytes))
}

function responseKey({ aead, enc, secret }: ResponseSecret, nonce: Uint8Array): AeadKey {
  const salt = Buffer.concat([enc, nonce])
  const derive = (label: string, length: number) => new Uint8Array(hkdfSync('sha256', secret, salt, label, length))
  return { aead, key: derive('key', aeadKeyBytes(aead)), nonce: derive('nonce', AEAD_NONCE_BYTES) }
}
