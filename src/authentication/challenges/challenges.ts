import { randomBytes } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { deviceLoginContent, PROOF_LABELS, type ProofPurpose } from '../../protocol/device-login.js'
import { parseClientUri } from '../../protocol/identifiers.js'
import { verifiedBy } from '../../protocol/identity/signatures.js'
import { canonicalKey, type SignatureKey } from '../../protocol/signature-key.js'
import { WrongDomain } from '../authentication.problems.js'
import { labelOf } from './challenge-purpose.js'
import { NONCE_BYTES, type ChallengeRequest } from './challenges.dto.js'
import { findChallenge, insertChallenge, type StoredChallenge } from './challenges.repository.js'

interface Claim {
  readonly publicKey: Uint8Array
  readonly proof: Uint8Array
  /** The key is a passkey’s, and the proof a PasskeySignature (docs/identity.md §2). */
  readonly rpId?: string | undefined
}

/** What a proof is of: whose keys, over which nonce, and for what. */
interface Proof {
  readonly purpose: ProofPurpose
  readonly client: string
  readonly nonce: Uint8Array
}

/** Proof that a device holds a key: it signs our nonce, bound to a purpose, our domain and its client URI. */
@Injectable()
export class Challenges {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'CHALLENGE_TTL'>,
  ) {}

  /** The same for known and unknown clients: nobody learns here who has an account. */
  async issue({ client, purpose }: ChallengeRequest): Promise<{ nonce: Uint8Array; expires_at: Date; domain: string; label: string }> {
    if (parseClientUri(client)?.domain !== this.config.DOMAIN) throw new WrongDomain(this.config.DOMAIN)
    const nonce = randomBytes(NONCE_BYTES)
    const expiresAt = await insertChallenge(this.pool, nonce, client, purpose, this.config.CHALLENGE_TTL)
    return { nonce, expires_at: expiresAt, domain: this.config.DOMAIN, label: labelOf(purpose ?? 'login') }
  }

  /**
   * The proven keys in canonical form, or undefined if the challenge is over or for something else, or any one proof does
   * not hold. It spends nothing: a caller who acts upon it consumes the challenge in its own transaction.
   */
  async proven(proof: Proof, claims: readonly Claim[]): Promise<SignatureKey[] | undefined> {
    const asked = await this.asked(proof)
    if (asked === undefined) return undefined
    const keys = await Promise.all(claims.map((claim) => provenKey(claim, asked.label, asked.content)))
    return keys.every((key) => key !== undefined) ? keys : undefined
  }

  /** What has to be signed; undefined if the challenge is over or for something else. */
  async asked({ purpose, client, nonce }: Proof): Promise<{ label: string; content: Uint8Array } | undefined> {
    const challenge = await findChallenge(this.pool, nonce, client)
    const label = challenge === undefined ? undefined : labelFor(purpose, challenge)
    if (challenge === undefined || label === undefined) return undefined
    const expiresAt = BigInt(Math.floor(challenge.expiresAt.getTime() / 1000))
    return { label, content: deviceLoginContent({ domain: this.config.DOMAIN, client, nonce, expiresAt }) }
  }
}

/**
 * A challenge for which no purpose was named is good for a login. Clients of the release before also register with one, under
 * the label of a login: they know no other.
 */
function labelFor(purpose: ProofPurpose, challenge: StoredChallenge): string | undefined {
  if (challenge.purpose === purpose) return PROOF_LABELS[purpose]
  const unnamed = challenge.purpose === null && (purpose === 'login' || purpose === 'registration')
  return unnamed ? PROOF_LABELS.login : undefined
}

async function provenKey({ publicKey, proof, rpId }: Claim, label: string, content: Uint8Array): Promise<SignatureKey | undefined> {
  const key = canonicalKey(publicKey)
  if (key === undefined) return undefined
  return (await verifiedBy({ key, rpId }, label, content, proof)) ? key : undefined
}
