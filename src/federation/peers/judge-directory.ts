import type { KeyDirectory, SignedKeyDirectory } from '../identity/directory-document.js'
import { isSignedBy } from '../identity/directory-signatures.js'
import { SIGNATURE_SCHEMES } from '../../protocol/mls/signature.js'
import { ed25519Key, isSoundKey } from '../../protocol/signature-key.js'

export interface PinnedKey {
  readonly keyId: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly notAfter: Date | null
}

/** Further in the future than a clock may be off, `issued_at` would make every later directory look old. */
const TOLERATED_SECONDS = 300
/** A directory that is valid for longer would let a stolen key live as long, where its fetch is kept from a peer. */
const MAX_VALID_SECONDS = 30 * 86_400
/** One that ends soon would prove nothing that its keys sign later. */
const MIN_VALID_SECONDS = 86_400

/** What is known of a provider when its directory comes again. */
export interface Known {
  readonly domain: string
  readonly pinned: readonly PinnedKey[]
  /** Keys that were in its directories and are not any more. */
  readonly past: readonly Pick<PinnedKey, 'keyId' | 'publicKey'>[]
  /** Of the directory that is in force, with the SHA-256 of its payload. */
  readonly issuedAt: Date | null
  readonly payloadHash: Uint8Array | null
}

interface Fetched {
  readonly signed: SignedKeyDirectory
  readonly directory: KeyDirectory
  readonly payloadHash: Uint8Array
}

/**
 * Whether a fetched directory is trusted: trust on first use of what WebPKI authenticates at the domain, which pins its keys; from then on
 * a pinned key has to have signed, too. @returns the reason for distrust; undefined: it is trusted
 */
export function reasonForDistrust(fetched: Fetched, known: Known, now: Date): string | undefined {
  if (fetched.directory.domain !== known.domain) return 'it is of another domain'
  return reasonInKeys(fetched, known, now) ?? reasonInTimes(fetched, known, now)
}

function reasonInKeys({ signed, directory }: Fetched, { pinned, past }: Known, now: Date): string | undefined {
  const keys = directory.keys.map(({ kid, x }) => ({ keyId: kid, publicKey: Buffer.from(x, 'base64url') }))
  if (new Set(keys.map(({ publicKey }) => publicKey.toString('hex'))).size < keys.length) return 'two of its keys are the same'
  // Under a key of small order one signature fits any message, so it would prove nothing.
  if (!keys.every(({ publicKey }) => isSoundKey({ scheme: SIGNATURE_SCHEMES.ed25519, publicKey }))) return 'a key that it names is none'
  // Proof of possession: nobody names a key of somebody else as its own.
  if (!keys.every(({ keyId, publicKey }) => isSignedBy(signed, keyId, ed25519Key(publicKey))))
    return 'a key that it names has not signed it'
  const isBack = ({ keyId, publicKey }: (typeof keys)[number]) => past.some((one) => one.keyId === keyId || publicKey.equals(one.publicKey))
  if (keys.some(isBack)) return 'a key that was withdrawn is back'
  const isOther = ({ keyId, publicKey }: (typeof keys)[number]) =>
    pinned.some((one) => (one.keyId === keyId) !== publicKey.equals(one.publicKey))
  if (keys.some(isOther)) return 'a key has another id than before, or an id another key'
  const trusted = pinned.filter(({ notAfter }) => notAfter === null || notAfter > now)
  const isVouchedFor = trusted.some(({ keyId, publicKey }) => isSignedBy(signed, keyId, ed25519Key(publicKey)))
  return pinned.length === 0 || isVouchedFor ? undefined : 'no key that is trusted has signed it'
}

/** Of a directory that the provider has made: what is wrong then is old, or its clock is, or somebody else has its keys. */
function reasonInTimes({ directory, payloadHash }: Fetched, { issuedAt, payloadHash: known }: Known, now: Date): string | undefined {
  const [issued, expires] = [directory.issued_at * 1000, directory.expires_at * 1000]
  if (expires <= now.getTime()) return 'it has expired'
  if (directory.expires_at - directory.issued_at > MAX_VALID_SECONDS) return 'it is valid for too long'
  if (directory.expires_at - directory.issued_at < MIN_VALID_SECONDS) return 'it is valid for too short a time'
  if (directory.issued_at > now.getTime() / 1000 + TOLERATED_SECONDS) return 'it is of the future'
  if (!issuedAt) return undefined
  if (issued < issuedAt.getTime()) return 'it is older than one that was trusted'
  if (issued === issuedAt.getTime() && known && !Buffer.from(known).equals(payloadHash))
    return 'it has the time of another one that was trusted'
  return undefined
}
