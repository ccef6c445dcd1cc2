import { verify } from 'node:crypto'
import { z } from 'zod'
import { ed25519Key } from '../signature-key.js'
import type { EvidenceDirectory } from './document.js'

/** A key of a directory that has signed the directory itself, so that its holder has said what it is for. */
export interface DirectoryKey {
  readonly keyId: string
  /** 43 characters of base64url. */
  readonly x: string
  /** Unix seconds. */
  readonly notBefore: number
  readonly notAfter: number | undefined
}

export interface ReadDirectory {
  readonly domain: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly keys: readonly DirectoryKey[]
  readonly document: EvidenceDirectory
}

const Payload = z.object({
  domain: z.string(),
  issued_at: z.int(),
  expires_at: z.int(),
  keys: z
    .array(
      z.object({
        kid: z.string(),
        x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
        nbf: z.int(),
        exp: z.int().optional(),
      }),
    )
    .max(64),
})
const Header = z.object({ alg: z.enum(['EdDSA', 'Ed25519']), kid: z.string(), typ: z.literal('mimi-key-directory') })

/** A published directory, without trust in who published it: only keys that have signed it count. Undefined if it is none. */
export function readSignedDirectory({ payload, signatures }: EvidenceDirectory): ReadDirectory | undefined {
  const content = parse(Payload, payload)
  if (!content) return undefined
  const signed = signatures.flatMap((one) => {
    const kid = parse(Header, one.protected)?.kid
    const key = content.keys.find((candidate) => candidate.kid === kid)
    const bytes = Buffer.from(`${one.protected}.${payload}`)
    return key && isSigned(bytes, key.x, one.signature) ? [key] : []
  })
  return {
    domain: content.domain,
    issuedAt: content.issued_at,
    expiresAt: content.expires_at,
    keys: signed.map(({ kid, x, nbf, exp }) => ({ keyId: kid, x, notBefore: nbf, notAfter: exp })),
    document: { payload, signatures },
  }
}

/**
 * Whether two directories are of one provider as far as keys can show it: from one to the other lead directories of which each is
 * signed by a key of its neighbour. Without that, anybody could put beside a provider's directory one of his own making.
 */
export function areLinked(all: readonly ReadDirectory[], from: ReadDirectory, to: ReadDirectory): boolean {
  const reached = new Set([from])
  for (const one of reached) for (const other of all) if (areNeighbours(one, other)) reached.add(other)
  return reached.has(to)
}

function areNeighbours(one: ReadDirectory, other: ReadDirectory): boolean {
  return one.domain === other.domain && (isSignedByKeyOf(one, other.document) || isSignedByKeyOf(other, one.document))
}

function isSignedByKeyOf({ keys }: ReadDirectory, document: EvidenceDirectory): boolean {
  return keys.some(({ x }) => isDirectorySignedBy(document, x))
}

/** Whether a directory carries a signature by this key, also one that it does not name any more. @param x public key in base64url */
export function isDirectorySignedBy({ payload, signatures }: EvidenceDirectory, x: string): boolean {
  return signatures.some((one) => parse(Header, one.protected) && isSigned(Buffer.from(`${one.protected}.${payload}`), x, one.signature))
}

/** Raw Ed25519, key and signature in base64url. */
export function isSigned(bytes: Uint8Array, x: string, signature: string): boolean {
  return verify(null, bytes, ed25519Key(Buffer.from(x, 'base64url')), Buffer.from(signature, 'base64url'))
}

function parse<T>(schema: z.ZodType<T>, base64url: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8'))).data
  } catch {
    return undefined // not JSON
  }
}
