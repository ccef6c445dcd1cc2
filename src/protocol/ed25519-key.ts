import { createPublicKey, type KeyObject } from 'node:crypto'

/** A public key of 32 raw bytes, as node:crypto takes it. @throws for another length */
export function ed25519Key(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') }, format: 'jwk' })
}
