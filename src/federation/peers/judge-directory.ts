import type { KeyObject } from 'node:crypto'
import { isSignedBy, type KeyDirectory, type SignedKeyDirectory } from '../identity/directory-document.js'

export interface PinnedKey {
  readonly publicKey: KeyObject
  readonly notAfter: Date | null
}

/** Further in the future than a clock may be off, `issued_at` would make every later directory look old. */
const TOLERATED_SECONDS = 300

/** What is known of a provider when its directory comes again. */
export interface Known {
  readonly domain: string
  readonly pinned: readonly PinnedKey[]
  readonly issuedAt: Date | null
}

/**
 * Whether a fetched directory is trusted: trust on first use of what WebPKI authenticates at the domain, which pins its keys; from then on
 * a pinned key has to have signed. @returns the reason for distrust; undefined: it is trusted
 */
export async function reasonForDistrust(
  signed: SignedKeyDirectory,
  directory: KeyDirectory,
  { domain, pinned, issuedAt }: Known,
  now: Date,
): Promise<string | undefined> {
  if (directory.domain !== domain) return 'it is of another domain'
  if (directory.expires_at * 1000 <= now.getTime()) return 'it has expired'
  if (directory.issued_at > now.getTime() / 1000 + TOLERATED_SECONDS) return 'it is of the future'
  if (issuedAt && directory.issued_at * 1000 < issuedAt.getTime()) return 'it is older than one that was trusted'
  const trusted = pinned.filter(({ notAfter }) => notAfter === null || notAfter > now)
  if (pinned.length === 0) return undefined
  for (const { publicKey } of trusted) if (await isSignedBy(signed, publicKey)) return undefined
  return 'no key that was known before has signed it'
}
