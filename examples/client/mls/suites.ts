import {
  ciphersuites,
  defaultKeyPackageEqualityConfig,
  defaultLifetimeConfig,
  defaultPaddingConfig,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  type Capabilities,
  type CiphersuiteImpl,
  type CiphersuiteName,
  type ClientConfig,
  type Lifetime,
} from 'ts-mls'
import { withNodeCrypto } from './node-crypto.js'

/** A cipher suite ready for use: its number on the wire, and the TLS SignatureScheme that its keys are registered under. */
export interface Suite {
  readonly id: number
  readonly scheme: number
  readonly impl: CiphersuiteImpl
}

const SCHEMES: Record<string, number> = { Ed25519: 0x0807, Ed448: 0x0808, P256: 0x0403, P384: 0x0503, P521: 0x0603 }
const loaded = new Map<number, Promise<Suite>>()

/** Loads a cipher suite by its number, e.g. 1 for X25519, Ed25519 and AES-128-GCM, or 2 for P-256. */
export function suite(id: number): Promise<Suite> {
  const known = loaded.get(id) ?? load(id)
  loaded.set(id, known)
  return known
}

export function suiteName(id: number): CiphersuiteName {
  const found = Object.entries(ciphersuites).find(([, number]) => number === id)
  if (!found) throw new Error(`Unknown cipher suite ${id}`)
  return found[0] as CiphersuiteName
}

async function load(id: number): Promise<Suite> {
  const description = getCiphersuiteFromName(suiteName(id))
  const scheme = SCHEMES[description.signature]
  if (scheme === undefined) throw new Error(`No signature scheme for ${description.signature}`)
  return { id, scheme, impl: withNodeCrypto(await getCiphersuiteImpl(description), description) }
}

/**
 * Keys of past epochs stay for as long as the server accepts messages of those epochs, and a device that was offline may have
 * to skip many generations of one sender.
 */
export const clientConfig: ClientConfig = {
  keyRetentionConfig: { retainKeysForGenerations: 32, retainKeysForEpochs: 8, maximumForwardRatchetSteps: 10_000 },
  lifetimeConfig: defaultLifetimeConfig,
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  paddingConfig: defaultPaddingConfig,
  // The library asks leaf by leaf, and at a Commit only after the fact; `identity/` looks at the whole tree instead.
  authService: { validateCredential: () => Promise.resolve(true) },
}

export function capabilities(suites: readonly number[], proposals: readonly number[], extensions: readonly number[] = []): Capabilities {
  return {
    versions: ['mls10'],
    ciphersuites: suites.map(suiteName),
    extensions: [...extensions],
    proposals: [...proposals],
    credentials: ['basic', 'x509'],
  }
}

/** From an hour ago, for clocks that disagree, to thirty days ahead. @param latest the end at the latest, in seconds since 1970 */
export function lifetime(latest = Infinity): Lifetime {
  const now = Math.floor(Date.now() / 1000)
  return { notBefore: BigInt(now - 3600), notAfter: BigInt(Math.min(latest, now + 30 * 86_400)) }
}
