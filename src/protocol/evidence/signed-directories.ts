import { verify } from 'node:crypto'
import { z } from 'zod'
import { SIGNATURE_SCHEMES } from '../mls/signature.js'
import { ed25519Key, isSoundKey } from '../signature-key.js'
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
  /** By the id of the key, the first of each. */
  readonly signatures: ReadonlyMap<string, Signature>
  readonly document: EvidenceDirectory
}

type Signature = EvidenceDirectory['signatures'][number]

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
  const named = new Map<string, Signature>()
  for (const one of signatures) {
    const kid = parse(Header, one.protected)?.kid
    if (kid !== undefined && !named.has(kid)) named.set(kid, one)
  }
  const signed = content.keys.filter(({ kid, x }) => {
    const one = named.get(kid)
    return one && isSound(x) && isSigned(Buffer.from(`${one.protected}.${payload}`), x, one.signature)
  })
  return {
    domain: content.domain,
    issuedAt: content.issued_at,
    expiresAt: content.expires_at,
    keys: signed.map(({ kid, x, nbf, exp }) => ({ keyId: kid, x, notBefore: nbf, notAfter: exp })),
    signatures: named,
    document: { payload, signatures },
  }
}

/** Under a key of small order one signature can fit any message, so it proves nothing. @param x public key in base64url */
function isSound(x: string): boolean {
  return isSoundKey({ scheme: SIGNATURE_SCHEMES.ed25519, publicKey: Buffer.from(x, 'base64url') })
}

/**
 * Whether two directories are of one provider as far as keys can show it: from one to the other lead directories of which each is
 * signed by a key of its neighbour. Without that, anybody could put beside a provider's directory one of his own making.
 */
export function areLinked(all: readonly ReadDirectory[], from: ReadDirectory, to: ReadDirectory): boolean {
  const links = new Links()
  const reached = new Set([from])
  for (const one of reached) {
    if (reached.has(to)) return true
    for (const other of all) if (!reached.has(other) && links.areNeighbours(one, other)) reached.add(other)
  }
  return reached.has(to)
}

/** Each signature is verified once at most, and only with the key that it names: the hub decides how many there are. */
class Links {
  private readonly known = new Map<ReadDirectory, Map<string, boolean>>()

  areNeighbours(one: ReadDirectory, other: ReadDirectory): boolean {
    return one.domain === other.domain && (this.isSignedByKeyOf(one, other) || this.isSignedByKeyOf(other, one))
  }

  private isSignedByKeyOf({ keys }: ReadDirectory, signed: ReadDirectory): boolean {
    return keys.some(({ keyId, x }) => this.isSignedBy(signed, keyId, x))
  }

  /** Also by a key that the directory does not name any more. */
  private isSignedBy(directory: ReadDirectory, keyId: string, x: string): boolean {
    const known = this.known.get(directory) ?? new Map<string, boolean>()
    this.known.set(directory, known)
    const name = `${keyId}:${x}`
    const found = known.get(name) ?? isSignatureAmong(directory, keyId, x)
    known.set(name, found)
    return found
  }
}

function isSignatureAmong({ signatures, document: { payload } }: ReadDirectory, keyId: string, x: string): boolean {
  const one = signatures.get(keyId)
  return one !== undefined && isSigned(Buffer.from(`${one.protected}.${payload}`), x, one.signature)
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
