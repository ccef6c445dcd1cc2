import { createHash } from 'node:crypto'
import { parseDictionary, serializeDictionary } from 'structured-headers'
import { sameBytes } from '../mls/same-bytes.js'
import type { HttpHeaders } from './message.js'

/** RFC 9530 §5, those that are safe against somebody who wants a collision. */
const HASHES = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const

/** Both of them, and some of other algorithms. */
const MAX_CHARACTERS = 1_024

export type DigestCheck = 'matches' | 'missing' | 'mismatch'

/** The value of Content-Digest for a body (RFC 9530 §2). */
export function contentDigest(body: Uint8Array): string {
  return serializeDictionary(new Map([['sha-256', [createHash('sha256').update(body).digest(), new Map()]]]))
}

/** Every digest of a known algorithm has to be that of the body, and there has to be one. */
export function checkContentDigest(headers: HttpHeaders, body: Uint8Array): DigestCheck {
  const field = headers['content-digest']
  if (field === undefined) return 'missing'
  const text = typeof field === 'string' ? field : field.join(', ')
  if (text.length > MAX_CHARACTERS) return 'mismatch'
  try {
    const digests = parseDictionary(text)
    const known = Object.entries(HASHES).flatMap(([name, hash]) => {
      const value = digests.get(name)?.[0]
      return value === undefined ? [] : [{ hash, value }]
    })
    if (known.length === 0) return 'missing'
    const matches = known.every(
      ({ hash, value }) => value instanceof ArrayBuffer && sameBytes(new Uint8Array(value), createHash(hash).update(body).digest()),
    )
    return matches ? 'matches' : 'mismatch'
  } catch {
    return 'mismatch' // no dictionary
  }
}
