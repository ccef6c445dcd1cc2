import { randomBytes } from 'node:crypto'
import type { Secrets } from '../../platform/secrets.js'
import { sha256 } from '../../protocol/sha256.js'

const FAMILY_BYTES = 16
const SECRET_BYTES = 32
export const REFRESH_TOKEN_BYTES = FAMILY_BYTES + SECRET_BYTES

/** How long the token before the current one may be repeated, by a client whose answer was lost (a phone in a tunnel retries for a while) or that asks twice at once. */
const GRACE_MS = 60_000

/**
 * 16 bytes that name the family (one login and all that follows from it), then 32 secret ones. Only hashes are stored.
 * With the family in the token, any older one is recognised for what it is without a row for each.
 */
export interface RefreshToken {
  /** A uuid, as PostgreSQL writes it. */
  readonly family: string
  readonly bytes: Uint8Array
}

/** The first token of a new family, both random. */
export function newRefreshToken(): RefreshToken {
  return tokenOf(randomBytes(REFRESH_TOKEN_BYTES))
}

/** @param bytes `REFRESH_TOKEN_BYTES` of them, which the caller has checked; the first 16 name the family, as a UUID */
export function tokenOf(bytes: Uint8Array): RefreshToken {
  const hex = Buffer.from(bytes.subarray(0, FAMILY_BYTES)).toString('hex')
  return { family: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), bytes }
}

/**
 * The token that follows is a MAC of this one under the server's secret: a client that repeats a request within the grace gets
 * the same successor again, on any node, so that a lost answer or a race ends no session and starts no second line.
 */
export function successorOf(token: RefreshToken, secrets: Secrets): RefreshToken {
  const family = token.bytes.subarray(0, FAMILY_BYTES)
  return tokenOf(Buffer.concat([family, secrets.mac('refresh token v1', token.bytes)]))
}

/** What is stored of a refresh token: SHA-256, 32 bytes. */
export function hashOfToken(token: RefreshToken): Buffer {
  return sha256(token.bytes)
}

/** What the database holds about a family. */
export interface FamilyState {
  readonly tokenHash: Uint8Array
  readonly previousHash: Uint8Array | null
  /** Since the current token took the place of the previous one. */
  readonly sinceRotationMs: number
}

/**
 * rotate: the current token. repeat: the one before, within the grace. reused: an older one, so two parties hold tokens of
 * this family and one of them stole it (RFC 9700 §4.14.2); nobody can tell which, so the family ends.
 */
export function decideRefresh(presented: Uint8Array, family: FamilyState): 'rotate' | 'repeat' | 'reused' {
  // Hashes of 256 random bits: how long comparing them takes tells nothing useful.
  if (Buffer.compare(presented, family.tokenHash) === 0) return 'rotate'
  const isPrevious = family.previousHash !== null && Buffer.compare(presented, family.previousHash) === 0
  return isPrevious && family.sinceRotationMs < GRACE_MS ? 'repeat' : 'reused'
}
