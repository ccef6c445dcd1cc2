import { constants, verify, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { TOKEN_TYPES, TokenChallenge, WWWAuthenticateHeader } from '@cloudflare/privacypass-ts'
import { sha256 } from '../sha256.js'
import { decodeWhole, Malformed } from '../tls/reader.js'

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
  return new Uint8Array(sha256(tokenChallenge(domain).serialize()))
}

/** The value of WWW-Authenticate: one challenge for each key (RFC 9577 §2.1). */
export function challengeField(domain: string, tokenKeys: readonly Uint8Array[]): string {
  const challenge = tokenChallenge(domain)
  return tokenKeys.map((key) => new WWWAuthenticateHeader(challenge, key).toString(true)).join(', ')
}

const NONCE_BYTES = 32
const DIGEST_BYTES = 32
const KEY_ID_BYTES = 32
const AUTHENTICATOR_BYTES = 256
const TOKEN_BYTES = 2 + NONCE_BYTES + DIGEST_BYTES + KEY_ID_BYTES + AUTHENTICATOR_BYTES

/** The scheme's name is case-insensitive; the value may be quoted, and padded (RFC 9577 §2.2, RFC 9110 §11.2). */
const AUTHORIZATION = /^PrivateToken +token=("?)([A-Za-z0-9_-]{1,512})={0,2}\1$/i

const verifyInPool = promisify(verify)

/** A token as it is presented (RFC 9577 §2.2). */
export interface PresentedToken {
  readonly nonce: Uint8Array
  readonly challengeDigest: Uint8Array
  /** SHA-256 of the issuer's token key. */
  readonly keyId: Uint8Array
  /** All before the authenticator: what the issuer has signed blindly. */
  readonly input: Uint8Array
  readonly authenticator: Uint8Array
}

/** The token in an Authorization field; undefined if there is none that is one, of the only type there is here. Never throws. */
export function presentedToken(authorization: string | undefined): PresentedToken | undefined {
  const text = AUTHORIZATION.exec(authorization ?? '')?.[2]
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64url')
  // Another spelling of the same bytes would be another Authorization field with the same token.
  if (bytes.length !== TOKEN_BYTES || bytes.toString('base64url') !== text) return undefined
  const decoded = decodeWhole(bytes, (reader) => {
    if (reader.uint16() !== TOKEN_TYPE) throw new Malformed('the token is of another type')
    const [nonce, challengeDigest, keyId] = [reader.fixed(NONCE_BYTES), reader.fixed(DIGEST_BYTES), reader.fixed(KEY_ID_BYTES)]
    return { nonce, challengeDigest, keyId, input: reader.since(0), authenticator: reader.fixed(AUTHENTICATOR_BYTES) }
  })
  return decoded.kind === 'decoded' ? decoded.value : undefined
}

/** Whether the issuer of `key` has signed it: RSASSA-PSS with SHA-384 and a salt of 48 bytes (RFC 9578 §6.5). In the thread pool. */
export function isAuthentic({ input, authenticator }: PresentedToken, key: KeyObject): Promise<boolean> {
  return verifyInPool('sha384', input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }, authenticator)
}
