import { createPublicKey } from 'node:crypto'
import { join, vector } from '../mls/tls.js'
import { sha256 } from '../wire.js'
import { ED25519, P256, type SigningKey } from './keys.js'
import { possessed, validity } from './making.js'
import type { OwnIdentity } from './own.js'
import { RIGHTS, type ListKey } from './structures.js'

/** What `navigator.credentials.get` answers. */
export interface Assertion {
  authenticatorData: Uint8Array
  clientDataJson: Uint8Array
  signature: Uint8Array
}

/** A passkey, as a page of its RP ID reaches it. */
export interface Passkey extends ListKey {
  rpId: string
  /** Asks the user, with `userVerification: 'required'`. @param challenge 32 bytes */
  assert(challenge: Uint8Array): Promise<Assertion>
}

/** What `navigator.credentials.create` answered to a challenge of `Proofs.passkeyChallenge`, as the API takes it. */
export interface PasskeyAttestation {
  nonce: Uint8Array
  client_data_json: Uint8Array
  attestation_object: Uint8Array
}

/** A passkey as a key that signs (docs/identity.md §2): its signature is an assertion over the hash of what another key would sign. */
export function passkeyKey(passkey: Passkey): SigningKey {
  const { rpId, scheme, publicKey } = passkey
  const sign = async (content: Uint8Array) => {
    const { authenticatorData, clientDataJson, signature } = await passkey.assert(sha256(content))
    return join(vector(authenticatorData), vector(clientDataJson), vector(signature))
  }
  return { rpId, scheme, publicKey, sign }
}

/** The key that `getPublicKey()` gives: a SubjectPublicKeyInfo of ES256 or EdDSA. */
export function passkeyOf(spki: Uint8Array): ListKey {
  const { crv, x = '', y = '' } = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' })
  if (crv === 'Ed25519') return { scheme: ED25519, publicKey: new Uint8Array(Buffer.from(x, 'base64url')) }
  if (crv !== 'P-256') throw new Error('Only ES256 and EdDSA passkeys serve for device lists')
  return { scheme: P256, publicKey: join(Uint8Array.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')) }
}

/** Certifies a passkey, which can then enrol devices: its user is asked once, for the possession. @param attestation where the server asks for one */
export async function addPasskey(own: OwnIdentity, passkey: Passkey, attestation?: PasskeyAttestation): Promise<void> {
  const holder = { kind: 'passkey', subject: passkey.rpId } as const
  const keys = await possessed(own.kept.list.identity, holder, [passkeyKey(passkey)])
  const certificate = { ...holder, rights: RIGHTS.enrol, keys, ...validity('passkey', own.identities.time) }
  await own.change(async (author) => [[author, { type: 'certificate', certificate }]], attestation)
}
