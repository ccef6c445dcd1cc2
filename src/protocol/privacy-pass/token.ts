import { constants, verify, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { decodeWhole, Malformed } from '../tls/reader.js'
import { TOKEN_TYPE } from './challenge.js'

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
