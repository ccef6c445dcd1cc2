import type { KeyObject } from 'node:crypto'
import { blindSign, MODULUS_BYTES } from '../../protocol/privacy-pass/issuance.js'

// Runs in threads of their own: Node has no asynchronous form of the bare RSA operation.

export interface SigningTask {
  readonly privateKey: KeyObject
  /** Blinded messages, one after the other. */
  readonly blinded: Uint8Array
}

/** @returns the signatures, one after the other; undefined if a message is not below the modulus */
export function signBatch({ privateKey, blinded }: SigningTask): Uint8Array | undefined {
  const signatures = new Uint8Array(blinded.length)
  for (let at = 0; at < blinded.length; at += MODULUS_BYTES) {
    const signature = blindSign(privateKey, blinded.subarray(at, at + MODULUS_BYTES))
    if (!signature) return undefined
    signatures.set(signature, at)
  }
  return signatures
}
