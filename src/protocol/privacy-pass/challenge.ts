import { createHash } from 'node:crypto'
import { TOKEN_TYPES, TokenChallenge, WWWAuthenticateHeader } from '@cloudflare/privacypass-ts'

/** Blind RSA (2048 bit), publicly verifiable (RFC 9578 §8.2.2). */
export const TOKEN_TYPE = TOKEN_TYPES.BLIND_RSA.value

/** Empty (RFC 9577 §2.1): tokens are fetched ahead of time, and none of them is for one occasion. */
const NO_CONTEXT = new Uint8Array()

/**
 * What tokens of this provider are bound to: it is issuer and origin at once. The same for all clients and all times, so that a token
 * does not tell when, or for whom, it was made (RFC 9576 §4.3, joint origin and issuer).
 */
export function tokenChallenge(domain: string): TokenChallenge {
  return new TokenChallenge(TOKEN_TYPE, domain, NO_CONTEXT, [domain])
}

/** SHA-256 of the challenge, as tokens carry it (RFC 9577 §2.2). */
export function challengeDigest(domain: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(tokenChallenge(domain).serialize()).digest())
}

/** The value of WWW-Authenticate: one challenge for each key (RFC 9577 §2.1). */
export function challengeField(domain: string, tokenKeys: readonly Uint8Array[]): string {
  const challenge = tokenChallenge(domain)
  return tokenKeys.map((key) => new WWWAuthenticateHeader(challenge, key).toString(true)).join(', ')
}
