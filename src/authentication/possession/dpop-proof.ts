import type { webcrypto } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { calculateJwkThumbprint, EmbeddedJWK, errors, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { sha256 } from '../../protocol/sha256.js'

/** What a proof may be signed with. `EdDSA` and `Ed25519` are one algorithm under two names (RFC 9864). */
export const PROOF_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519']
/** A proof is some 400 bytes. */
const MAX_PROOF_LENGTH = 2_048
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** How old a proof may be, and how far ahead its clock. */
export const PROOF_AGE_MS = 60_000
export const PROOF_AHEAD_MS = 15_000

const Claims = z.object({
  htm: z.string().max(16),
  htu: z.string().max(1_024),
  iat: z.number().nonnegative().max(1e11),
  jti: z.string().min(8).max(128),
  ath: z.string().max(64).optional(),
})

/** The parts of a request that a proof is about: those that Fastify's requests and Node's have in common. */
export interface ProvenRequest {
  readonly method?: string | undefined
  /** Path and query, as sent. */
  readonly url?: string | undefined
  readonly headers: Pick<IncomingHttpHeaders, 'host'> & { readonly dpop?: string | string[] | undefined }
  readonly socket: { readonly localAddress?: string | undefined; readonly localPort?: number | undefined }
}

/** Why a proof is refused, as clients see it. */
export type ProofFault = 'malformed' | 'signature' | 'request' | 'token'

export type ProofOutcome =
  /** `thumbprint`: of the key, RFC 7638, base64url. `id`: its `jti`. */
  | { readonly kind: 'valid'; readonly thumbprint: string; readonly id: string }
  | { readonly kind: 'stale' }
  | { readonly kind: 'faulty'; readonly fault: ProofFault }

/**
 * Checks a DPoP proof (RFC 9449 §4.3), all but whether it was used before. Never throws for a bad one.
 * @param publicUrl where clients reach this server, if that is set
 * @param token the access token that comes with it, if there is one
 * @param now Unix milliseconds
 */
export async function checkProof(
  proof: string,
  request: ProvenRequest,
  { publicUrl, token, now }: { publicUrl?: string | undefined; token?: string | undefined; now: number },
): Promise<ProofOutcome> {
  if (proof.length > MAX_PROOF_LENGTH || !FORM.test(proof)) return { kind: 'faulty', fault: 'malformed' }
  const verified = await signedClaims(proof)
  if (verified === undefined) return { kind: 'faulty', fault: 'signature' }
  const claims = Claims.safeParse(verified.payload).data
  if (claims === undefined) return { kind: 'faulty', fault: 'malformed' }
  if (claims.htm !== request.method || !isAbout(claims.htu, request, publicUrl)) return { kind: 'faulty', fault: 'request' }
  if (token !== undefined && claims.ath !== sha256(token).toString('base64url')) return { kind: 'faulty', fault: 'token' }
  const age = now - claims.iat * 1000
  if (age > PROOF_AGE_MS || age < -PROOF_AHEAD_MS) return { kind: 'stale' }
  return { kind: 'valid', thumbprint: verified.thumbprint, id: claims.jti }
}

/**
 * Keys that have signed a proof, by the first part of the proof, which holds the key and is the same in all proofs of most clients: to read a key takes as
 * long as to verify a signature.
 */
const keysOfHeads = new LRUCache<string, { key: webcrypto.CryptoKey; thumbprint: string }>({ max: 20_000 })
/** Longer ones are not remembered: a key is 100 characters. */
const MAX_HEAD_LENGTH = 400
const VERIFIED = { algorithms: PROOF_ALGORITHMS, typ: 'dpop+jwt' }

/** Verified under the key in its own head, which must be a public one. Says nothing yet of whose key that is. */
async function signedClaims(proof: string): Promise<{ payload: unknown; thumbprint: string } | undefined> {
  const head = proof.slice(0, proof.indexOf('.'))
  const known = keysOfHeads.get(head)
  try {
    if (known) return { payload: (await jwtVerify(proof, known.key, VERIFIED)).payload, thumbprint: known.thumbprint }
    const { payload, protectedHeader, key } = await jwtVerify(proof, EmbeddedJWK, VERIFIED)
    // Checked by EmbeddedJWK; for the types.
    if (protectedHeader.jwk === undefined || !(key instanceof CryptoKey)) return undefined
    const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk)
    if (head.length <= MAX_HEAD_LENGTH) keysOfHeads.set(head, { key, thumbprint })
    return { payload, thumbprint }
  } catch (error) {
    // What is wrong with a key comes from WebCrypto: a DOMException, or a TypeError for members that are no strings.
    if (error instanceof errors.JOSEError || error instanceof DOMException || error instanceof TypeError) return undefined
    throw error
  }
}

/**
 * Whether a proof's `htu` is the address of this request, without query and fragment. It names the host by which clients know this server:
 * that of PUBLIC_URL, or the address at which the connection arrived. What a request says in Host is believed only where PUBLIC_URL is unset.
 */
function isAbout(htu: string, request: ProvenRequest, publicUrl: string | undefined): boolean {
  const named = addressOf(htu)
  const path = (request.url ?? '').split(/[?#]/, 1)[0] ?? ''
  return named !== undefined && basesOf(request, publicUrl).some((base) => addressOf(base + path) === named)
}

function basesOf({ headers: { host }, socket: { localAddress = '', localPort } }: ProvenRequest, publicUrl: string | undefined): string[] {
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/, '')
  const local = `http://${address.includes(':') ? `[${address}]` : address}:${localPort}`
  const loopback = address === '::1' || address.startsWith('127.') ? [`http://localhost:${localPort}`] : []
  const named = publicUrl === undefined ? [`http://${host}`, `https://${host}`] : [publicUrl]
  return [...named, local, ...loopback]
}

/** The path as it is written: to resolve dots and escapes would make one proof good for several paths. */
function addressOf(text: string): string | undefined {
  const path = /^[a-z]+:\/\/[^/?#]+([^?#]*)/i.exec(text)?.[1]
  if (path === undefined || !URL.canParse(text)) return undefined
  const { protocol, host } = new URL(text)
  return `${protocol}//${host}${path === '' ? '/' : path}`
}
