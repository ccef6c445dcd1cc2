import { parseClientUri, userUri } from '../identifiers.js'
import { SIGNATURE_SCHEMES } from '../mls/signature.js'
import { canonicalKey, isSoundKey } from '../signature-key.js'
import {
  ALL_RIGHTS,
  POSSESSION_LABEL,
  possessionContent,
  RIGHTS,
  type CertifiedKey,
  type DeviceCertificate,
  type ListKey,
} from './entry.js'
import type { Certified, DeviceList } from './device-list.js'
import type { IdentityRule } from './rules.js'
import { verifiedBy } from './signatures.js'

const DAY = 86_400n
const MAX_DEVICE_VALIDITY = 400n * DAY
const MAX_OTHER_VALIDITY = 4_000n * DAY

/** What signs entries and heads: every client can check these. */
const SIGNING_SCHEMES: ReadonlySet<number> = new Set([SIGNATURE_SCHEMES.ed25519, SIGNATURE_SCHEMES.ecdsaP256Sha256])

/** Not every client can check ML-DSA, nor what comes after it: such keys are kept as they are, and serve no leaf that they cannot check. */
const KNOWN_SCHEMES: ReadonlySet<number> = new Set(Object.values(SIGNATURE_SCHEMES))

const ECDSA_SCHEMES: ReadonlySet<number> = new Set([
  SIGNATURE_SCHEMES.ecdsaP256Sha256,
  SIGNATURE_SCHEMES.ecdsaP384Sha384,
  SIGNATURE_SCHEMES.ecdsaP521Sha512,
])

const spellings = new WeakMap<ListKey, string>()

/** Whether a key may sign entries and heads. */
export function isSigningKey(key: ListKey): boolean {
  return SIGNING_SCHEMES.has(key.scheme) && isWrittenOut(key)
}

/** A list names a point in the one form of RFC 9420 §5.1.1, and not compressed: each reader sees the same bytes for one key. */
function isWrittenOut({ scheme, publicKey }: ListKey): boolean {
  return !ECDSA_SCHEMES.has(scheme) || publicKey[0] === 0x04
}

/**
 * One spelling per key, for comparison, also with the keys of leaves, whose points may be compressed; undefined for what is no sound key of a scheme that
 * is known.
 */
export function spellingOf(key: ListKey): string | undefined {
  const known = spellings.get(key) ?? spell(key)
  if (known !== undefined) spellings.set(key, known)
  return known
}

function spell({ scheme, publicKey }: ListKey): string | undefined {
  if (!KNOWN_SCHEMES.has(scheme)) return `${scheme}:${Buffer.from(publicKey).toString('hex')}`
  const key = canonicalKey(publicKey)
  if (key === undefined || key.scheme !== scheme || !isSoundKey(key)) return undefined
  return Buffer.from(key.publicKey).toString('hex')
}

/**
 * The rules of docs/identity.md §2 for a certificate, without those of its keys and of how many there are.
 * @param signer number of the entry that signs @param replaced the active certificate of the same client URI
 */
export function faultOfCertificate(
  list: DeviceList,
  certificate: DeviceCertificate,
  signer: number,
  replaced: Certified | undefined,
): IdentityRule | undefined {
  return (
    faultOfSubject(list, certificate, replaced) ??
    faultOfReplacement(certificate, signer, replaced) ??
    faultOfRights(list, certificate, signer) ??
    faultOfValidity(certificate)
  )
}

/** The rules for the keys of a certificate, which cost most: as many signatures as it has keys. */
export async function faultOfKeys(
  list: DeviceList,
  certificate: DeviceCertificate,
  replaced: Certified | undefined,
): Promise<IdentityRule | undefined> {
  if (!areUsable(list, certificate, replaced)) return 'certificate-keys'
  return (await arePossessed(list, certificate)) ? undefined : 'certificate-possession'
}

function faultOfSubject(list: DeviceList, { kind, subject }: DeviceCertificate, replaced: Certified | undefined): IdentityRule | undefined {
  if (kind === 'recovery-key') return subject === '' ? undefined : 'certificate-subject'
  if (kind === 'passkey') return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(subject) ? undefined : 'certificate-subject'
  const client = parseClientUri(subject)
  if (client === undefined || userUri(client) !== list.user) return 'certificate-subject'
  const before = [...list.certificates.values()].some((one) => one.kind === 'device' && one.subject === subject)
  return before && replaced === undefined ? 'certificate-subject' : undefined
}

function faultOfReplacement({ rights }: DeviceCertificate, signer: number, replaced: Certified | undefined): IdentityRule | undefined {
  if (replaced === undefined) return undefined
  return replaced.number === signer && (rights & ~replaced.rights) === 0 ? undefined : 'certificate-replaced'
}

/** Recovery keys and passkeys have to be able to make a device like the one that was lost. */
function faultOfRights(list: DeviceList, { kind, rights }: DeviceCertificate, signer: number): IdentityRule | undefined {
  const issuer = list.certificates.get(signer)
  const given = issuer?.kind === 'device' ? issuer.rights : ALL_RIGHTS
  const possible = kind === 'device' ? given : given & RIGHTS.enrol
  return (rights & ~possible) === 0 ? undefined : 'certificate-rights'
}

function faultOfValidity({ kind, notBefore, notAfter }: DeviceCertificate): IdentityRule | undefined {
  const longest = kind === 'device' ? MAX_DEVICE_VALIDITY : MAX_OTHER_VALIDITY
  return notBefore < notAfter && notAfter - notBefore <= longest ? undefined : 'certificate-validity'
}

/** A key that a device has dropped stays dropped. */
function areUsable(list: DeviceList, { kind, keys }: DeviceCertificate, replaced: Certified | undefined): boolean {
  const [first] = keys
  if (first === undefined || !isSigningKey(first) || (kind !== 'device' && keys.length !== 1)) return false
  const spelled = keys.map(spellingOf)
  if (new Set(spelled).size !== keys.length || !keys.every(isWrittenOut)) return false
  return spelled.every((spelling) => {
    if (spelling === undefined) return false
    const holder = list.keys.get(spelling)
    return holder === undefined || holder === replaced?.number
  })
}

async function arePossessed({ identity }: DeviceList, { kind, subject, keys }: DeviceCertificate): Promise<boolean> {
  const content = possessionContent(identity, kind, subject)
  const holds = await Promise.all(keys.map((key) => isPossessed(key, kind === 'passkey' ? subject : undefined, content)))
  return holds.every(Boolean)
}

async function isPossessed(key: CertifiedKey, rpId: string | undefined, content: Uint8Array): Promise<boolean> {
  return !KNOWN_SCHEMES.has(key.scheme) || verifiedBy({ key, rpId }, POSSESSION_LABEL, content, key.possession)
}
