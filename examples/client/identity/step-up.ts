import { opaque, type Suite } from '../mls/suites.js'
import { signWithLabel } from 'ts-mls/crypto/signature.js'

export interface StepUpChallenge {
  readonly domain: string
  readonly client: string
  readonly nonce: Uint8Array
  readonly expiresAt: bigint
}

/**
 * The header `Step-Up`: this key's consent to what a session alone may not do (docs/identity.md §8).
 * @param subject what it is about, by purpose
 */
export async function stepUpHeader(
  keys: { signKey: Uint8Array; publicKey: Uint8Array },
  of: Suite,
  purpose: 'delete-account',
  { domain, client, nonce, expiresAt }: StepUpChallenge,
  subject: Uint8Array,
): Promise<{ 'step-up': string }> {
  const expiry = Buffer.alloc(8)
  expiry.writeBigUInt64BE(expiresAt)
  const content = Buffer.concat([opaque(Buffer.from(domain)), opaque(Buffer.from(client)), opaque(nonce), expiry, opaque(subject)])
  const proof = await signWithLabel(keys.signKey, `MicroChat Step-Up ${purpose}`, new Uint8Array(content), of.impl.signature)
  return { 'step-up': `nonce=${item(nonce)}, key=${item(keys.publicKey)}, proof=${item(proof)}` }
}

/** A byte sequence of RFC 9651 §3.3.5. */
function item(bytes: Uint8Array): string {
  return `:${Buffer.from(bytes).toString('base64')}:`
}
