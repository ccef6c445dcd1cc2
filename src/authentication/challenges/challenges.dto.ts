import { z } from 'zod'
import { MlsBytes, UnixSeconds } from '../../platform/http/bytes.js'
import { MLDSA_SCHEMES, SIGNATURE_SCHEMES } from '../../protocol/mls/signature.js'
import { MAX_PUBLIC_KEY_BYTES, MAX_SIGNATURE_BYTES } from '../../protocol/signature-key.js'
import { ClientUri } from '../identifiers.dto.js'
import { CHALLENGE_PURPOSES } from './challenge-purpose.js'

const MAX_KEYS = 8

export const NONCE_BYTES = 32

export const Nonce = MlsBytes(NONCE_BYTES).meta({ description: 'The nonce of a challenge, 32 bytes' })
export const PublicKey = MlsBytes(MAX_PUBLIC_KEY_BYTES).meta({
  description: 'SignaturePublicKey (RFC 9420 §5.1.1): raw for Ed25519, Ed448 and ML-DSA, an SEC 1 point for ECDSA',
})
export const Proof = MlsBytes(MAX_SIGNATURE_BYTES).meta({
  description:
    'SignWithLabel(., label, {opaque domain<V>; opaque client_uri<V>; opaque nonce<V>; uint64 expires_at}), with the label of the purpose (createChallenge)',
})
export const Scheme = z.literal([...Object.values(SIGNATURE_SCHEMES), ...Object.values(MLDSA_SCHEMES)]).meta({
  description:
    'TLS SignatureScheme: 1027 ecdsa_secp256r1_sha256, 1283 …384, 1539 …521, 2055 ed25519, 2056 ed448, and for private groups 2308 mldsa44, 2309 …65, 2310 …87',
})

export const ChallengeRequest = z
  .strictObject({
    client: ClientUri,
    purpose: z.enum(CHALLENGE_PURPOSES).optional().meta({
      description:
        'What the proof is for: it counts for that alone. Without it, a login (or a registration, by clients of the release before)',
    }),
  })
  .meta({ id: 'ChallengeRequest' })
export type ChallengeRequest = z.infer<typeof ChallengeRequest>

export const Challenge = z
  .object({
    nonce: MlsBytes(NONCE_BYTES),
    expires_at: UnixSeconds,
    domain: z.string(),
    label: z.string().meta({
      description: 'With which label to sign. A client knows the labels of its purposes, and signs under no other that a server may name',
    }),
  })
  .meta({ id: 'Challenge', description: 'What a device signs to prove that it holds a key; good once, for this client, until expires_at' })

/** A new signature key with its proof of possession. */
export const NewSignatureKey = z
  .strictObject({ scheme: Scheme, public_key: PublicKey, proof: Proof, valid_until: UnixSeconds.optional() })
  .meta({ id: 'NewSignatureKey' })
export type NewSignatureKey = z.infer<typeof NewSignatureKey>

export const NewSignatureKeys = z.array(NewSignatureKey).min(1).max(MAX_KEYS)
