import { createHash } from 'node:crypto'
import { parseDictionary, serializeDictionary } from 'structured-headers'
import { sha256 } from '../sha256.js'
import { sameBytes } from '../bytes.js'
import type { HttpHeaders } from './message.js'

/** RFC 9530 §5, those that are safe against deliberate collisions. */
const HASHES = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const

/** Hashed in one go: a hundred microseconds. */
const SLICE_BYTES = 128 * 1024
/** Both of them, and some of other algorithms. */
const MAX_CHARACTERS = 1_024

export type DigestCheck = 'matches' | 'missing' | 'mismatch'

/** The value of Content-Digest for a body (RFC 9530 §2). */
export function contentDigest(body: Uint8Array): string {
  return serializeDictionary(new Map([['sha-256', [sha256(body), new Map()]]]))
}

/** Every digest of a known algorithm has to be that of the body, and there has to be one. Between slices of a large body others have their turn. */
export async function checkContentDigest(headers: HttpHeaders, body: Uint8Array): Promise<DigestCheck> {
  const known = claimedDigests(headers)
  if (known === undefined) return 'mismatch'
  if (known.length === 0) return 'missing'
  for (const { hash, value } of known) {
    if (!(value instanceof ArrayBuffer) || !sameBytes(new Uint8Array(value), await digestOf(hash, body))) return 'mismatch'
  }
  return 'matches'
}

type Hash = keyof typeof HASHES

/** Undefined for a field that is not a dictionary, or longer than any honest one. */
function claimedDigests(headers: HttpHeaders): { hash: Hash; value: unknown }[] | undefined {
  const field = headers['content-digest']
  if (field === undefined) return []
  const text = typeof field === 'string' ? field : field.join(', ')
  if (text.length > MAX_CHARACTERS) return undefined
  try {
    const digests = parseDictionary(text)
    return (['sha-256', 'sha-512'] as const).flatMap((hash) => {
      const value = digests.get(hash)?.[0]
      return value === undefined ? [] : [{ hash, value }]
    })
  } catch {
    return undefined
  }
}

/** In the thread pool it would take as long of this thread, which copies the body for it twice, and a second time as much of another. */
async function digestOf(hash: Hash, body: Uint8Array): Promise<Uint8Array> {
  const hashing = createHash(HASHES[hash])
  for (let at = 0; at < body.length; at += SLICE_BYTES) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve))
    hashing.update(body.subarray(at, at + SLICE_BYTES))
  }
  return hashing.digest()
}
