import { randomBytes } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { deviceLoginContent, DEVICE_LOGIN_LABEL } from '../../protocol/device-login.js'
import { parseClientUri } from '../../protocol/identifiers.js'
import { verifyWithLabel } from '../../protocol/mls/signature.js'
import { canonicalKey, type SignatureKey } from '../../protocol/signature-key.js'
import { WrongDomain } from '../authentication.problems.js'
import { NONCE_BYTES } from './challenges.dto.js'
import { findChallenge, insertChallenge } from './challenges.repository.js'

interface Claim {
  readonly publicKey: Uint8Array
  readonly proof: Uint8Array
}

/** Proof that a device holds a key: it signs our nonce, bound to our domain and its client URI. */
@Injectable()
export class Challenges {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'CHALLENGE_TTL'>,
  ) {}

  /** The same for known and unknown clients: nobody learns here who has an account. */
  async issue(client: string): Promise<{ nonce: Uint8Array; expires_at: Date; domain: string }> {
    if (parseClientUri(client)?.domain !== this.config.DOMAIN) throw new WrongDomain(this.config.DOMAIN)
    const nonce = randomBytes(NONCE_BYTES)
    const expiresAt = await insertChallenge(this.pool, nonce, client, this.config.CHALLENGE_TTL)
    return { nonce, expires_at: expiresAt, domain: this.config.DOMAIN }
  }

  /**
   * The proven keys in canonical form, or undefined if the challenge is over or any one proof does not hold. It spends
   * nothing: a caller who acts upon it consumes the challenge in its own transaction.
   */
  async proven(client: string, nonce: Uint8Array, claims: readonly Claim[]): Promise<SignatureKey[] | undefined> {
    const expiresAt = await findChallenge(this.pool, nonce, client)
    if (expiresAt === undefined) return undefined
    const content = deviceLoginContent({
      domain: this.config.DOMAIN,
      client,
      nonce,
      expiresAt: BigInt(Math.floor(expiresAt.getTime() / 1000)),
    })
    const keys = await Promise.all(claims.map((claim) => provenKey(claim, content)))
    return keys.every((key) => key !== undefined) ? keys : undefined
  }
}

async function provenKey({ publicKey, proof }: Claim, content: Uint8Array): Promise<SignatureKey | undefined> {
  const key = canonicalKey(publicKey)
  if (key === undefined) return undefined
  return (await verifyWithLabel(key.scheme, key.publicKey, DEVICE_LOGIN_LABEL, content, proof)) ? key : undefined
}
