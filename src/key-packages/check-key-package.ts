import { CERTIFICATE_RULES, certificateIn, type CertificateRule } from '../authentication/directory/leaf-certificates.js'
import { decodeIncoming, decodeIncomingKeyPackage } from '../platform/http/incoming-message.js'
import { HASH_OF_SUITE, type HashAlgorithm, keyPackageRef, keyPackageRefBy } from '../protocol/mls/hashes.js'
import { verifyKeyPackage, verifyOtherKeyPackage, type KeyPackageVerdict } from '../protocol/mls/key-package-validation.js'
import type { LifetimeLimits } from '../protocol/mls/leaf-node-rules.js'
import { namedIdentity } from '../protocol/mls/structures/credential.js'
import { extensionData, type Extension } from '../protocol/mls/structures/extension.js'
import type { KeyPackage } from '../protocol/mls/structures/key-package.js'
import { RULES, type RuleName } from '../protocol/mls/rules.js'
import { canonicalKey, type SignatureKey } from '../protocol/signature-key.js'
import { decodeWhole, Malformed, type TlsReader } from '../protocol/tls/reader.js'

/** Rules for publishing a KeyPackage beyond those for the KeyPackage itself. Listed with the others in docs/mls-rules.md. */
export const UPLOAD_RULES = {
  credential: ['5.3.1', 'A KeyPackage names the uploading device, and its key is registered for it.'],
  'last-resort-component': ['draft-ietf-mls-extensions', 'A KeyPackage’s mark as last resort can be read.'],
  'one-last-resort-per-suite': ['16.8', 'A device has one KeyPackage of last resort in each suite.'],
} as const satisfies Record<string, readonly [section: string, says: string]>

export type UploadRule = RuleName | keyof typeof UPLOAD_RULES | CertificateRule

/** The section in which a rule stands, and what it says. */
export function describeRule(rule: UploadRule): { section: string; says: string } {
  const [section, says] = { ...RULES, ...UPLOAD_RULES, ...CERTIFICATE_RULES }[rule]
  return { section, says }
}

/** A KeyPackage as the directory keeps it. */
export interface CheckedKeyPackage {
  readonly ref: Uint8Array
  readonly cipherSuite: number
  readonly lastResort: boolean
  /** The end of its lifetime, or of the age up to which it is handed out. */
  readonly expiresAt: Date
  /** The key in the canonical form in which the device registered it. */
  readonly signatureKey: Uint8Array
  readonly extensions: readonly number[]
  readonly proposals: readonly number[]
  readonly credentials: readonly number[]
  /** The whole MLSMessage. */
  readonly bytes: Uint8Array
  /** Data of the leaf's extension with its certificate, which is judged with the user's device list. */
  readonly certificate: Uint8Array | undefined
  /** Certificates of an X.509 credential, which are judged with the authorities of the domain; `notAfter` is the end of the lifetime. */
  readonly x509?: { readonly certificates: readonly Uint8Array[]; readonly notAfter: bigint }
}

/**
 * Who uploads, and under which limits. `keys` are the device's active signature keys in canonical form; `otherSuites` are those that
 * RFC 9420 does not list, with their hashes.
 */
export interface UploadTerms {
  readonly client: string
  readonly keys: readonly Uint8Array[]
  readonly now: Date
  readonly maxLifetimeMs: number
  /** How long after the beginning of its lifetime a KeyPackage is handed out, however long that is. */
  readonly maxAgeMs: number
  readonly otherSuites: ReadonlyMap<number, HashAlgorithm>
}

export type UploadVerdict =
  | { kind: 'accepted'; keyPackage: CheckedKeyPackage }
  | { kind: 'undecodable'; reason: string }
  | { kind: 'refused'; rule: UploadRule; facts?: RefusalFacts }

/** What a client needs to correct it: members of the problem document. Times are in seconds. */
export type RefusalFacts = Record<string, string | number>

/**
 * How far a client's clock may be ahead. A lifetime must hold at this much past our own time, so one that starts within it is
 * taken, and one that ends within it, of use to nobody, is not.
 */
const CLOCK_SKEW_MS = 60_000

/** What is asked of the lifetime of a KeyPackage, when it is published and when it is used (RFC 9420 §7.2). In seconds. */
export function lifetimeLimits(now: Date, maxLifetimeMs: number): LifetimeLimits {
  return { now: new Date(now.getTime() + CLOCK_SKEW_MS), maxLifetime: Math.floor(maxLifetimeMs / 1000) }
}

/**
 * RFC 9420 §10.1, and that the KeyPackage is the uploading device's own (RFC 9420 §5.3.1). Never throws for what is uploaded.
 * @param bytes an MLSMessage of wire format mls_key_package @param flagged uploaded as last resort
 */
export async function checkKeyPackage(bytes: Uint8Array, flagged: boolean, terms: UploadTerms): Promise<UploadVerdict> {
  const decoded = decodeIncoming(bytes)
  if (decoded.kind === 'malformed') return { kind: 'undecodable', reason: isBare(bytes) ? BARE : decoded.reason }
  if (decoded.value.wireFormat !== 'key-package') return { kind: 'undecodable', reason: 'the MLSMessage is no KeyPackage' }
  const keyPackage = decoded.value.body

  const mark = lastResortMark(keyPackage.extensions)
  if (mark === 'malformed') return { kind: 'refused', rule: 'last-resort-component' }
  const key = ownKey(keyPackage, terms)
  if (key === undefined) return { kind: 'refused', rule: 'credential', facts: { expected_identity: terms.client } }
  const ref = refOf(keyPackage, terms)
  if (ref === undefined) return { kind: 'refused', rule: 'key-package-cipher-suite' }

  const verdict = await verify(keyPackage, key, terms)
  if (verdict.kind === 'invalid') return refused(verdict.rule, keyPackage, terms)
  const kept = { bytes, ref, lastResort: flagged || mark === 'marked', signatureKey: key.publicKey }
  return accepted(keyPackage, kept, terms)
}

const BARE =
  'it is a bare KeyPackage; wrap it in an MLSMessage of wire format mls_key_package, which puts 00 01 00 05 before it (RFC 9420 §6)'
const isBare = (bytes: Uint8Array): boolean => decodeIncomingKeyPackage(bytes).kind === 'decoded'

/** Lifetimes are the server's to limit (RFC 9420 §7.2), so it says what it allows and what its clock shows. */
function refused(rule: UploadRule, { leafNode }: KeyPackage, { now, maxLifetimeMs, maxAgeMs }: UploadTerms): UploadVerdict {
  if (rule !== 'leaf-node-lifetime' || leafNode.source.kind !== 'key-package') return { kind: 'refused', rule }
  const { notBefore, notAfter } = leafNode.source
  return {
    kind: 'refused',
    rule,
    facts: {
      not_before: Number(notBefore),
      not_after: Number(notAfter),
      longest_lifetime: Math.floor(maxLifetimeMs / 1000),
      longest_age: Math.floor(maxAgeMs / 1000),
      server_time: Math.floor(now.getTime() / 1000),
    },
  }
}

/** By the hash of its suite; of one that RFC 9420 does not list, by what the upload says. */
function refOf({ cipherSuite, bytes }: KeyPackage, { otherSuites }: UploadTerms): Uint8Array | undefined {
  const other = otherSuites.get(cipherSuite)
  return keyPackageRef(cipherSuite, bytes) ?? (other && keyPackageRefBy(other, bytes))
}

/** The scheme is that of the registered key, also where the suite does not name one. */
function verify(keyPackage: KeyPackage, { scheme }: SignatureKey, terms: UploadTerms): Promise<KeyPackageVerdict> {
  const lifetimes = lifetimeLimits(terms.now, terms.maxLifetimeMs)
  if (HASH_OF_SUITE.has(keyPackage.cipherSuite)) return verifyKeyPackage(keyPackage, lifetimes)
  return verifyOtherKeyPackage(keyPackage, scheme, lifetimes)
}

/** The leaf's key, if the credential names the device and the device holds that key. Asked first, as signatures cost more. */
function ownKey({ leafNode }: KeyPackage, { client, keys }: UploadTerms): SignatureKey | undefined {
  if (namedIdentity(leafNode.credential) !== client) return undefined
  const key = canonicalKey(leafNode.signatureKey)
  return key && keys.some((registered) => Buffer.compare(registered, key.publicKey) === 0) ? key : undefined
}

type Kept = Pick<CheckedKeyPackage, 'bytes' | 'ref' | 'lastResort' | 'signatureKey'>

function accepted(keyPackage: KeyPackage, kept: Kept, terms: UploadTerms): UploadVerdict {
  const { source, capabilities, credential } = keyPackage.leafNode
  if (source.kind !== 'key-package') return { kind: 'refused', rule: 'leaf-node-source' }
  const expiresAt = new Date(Math.min(Number(source.notAfter) * 1000, Number(source.notBefore) * 1000 + terms.maxAgeMs))
  if (expiresAt.getTime() < terms.now.getTime() + CLOCK_SKEW_MS) return refused('leaf-node-lifetime', keyPackage, terms)
  return {
    kind: 'accepted',
    keyPackage: {
      ...kept,
      cipherSuite: keyPackage.cipherSuite,
      expiresAt,
      extensions: [...new Set(capabilities.extensions)],
      proposals: [...new Set(capabilities.proposals)],
      credentials: [...new Set(capabilities.credentials)],
      certificate: certificateIn(keyPackage.leafNode.extensions),
      ...(credential.kind === 'x509' && { x509: { certificates: credential.certificates, notAfter: source.notAfter } }),
    },
  }
}

/** draft-ietf-mls-extensions-09: app_data_dictionary, with a component last_resort_key_package that has no data. */
const APP_DATA_DICTIONARY = 0x0006
const LAST_RESORT_COMPONENT = 0x0004
/** What earlier drafts had instead: an empty extension of its own, which most clients still send. */
const LAST_RESORT_EXTENSION = 0x000a

const MAX_COMPONENTS = 256

export type LastResortMark = 'marked' | 'unmarked' | 'malformed'

/** Whether the extensions of a KeyPackage mark it as one of last resort. A mark with data in it is malformed: it is defined as empty. */
export function lastResortMark(extensions: readonly Extension[]): LastResortMark {
  const legacy = extensionData(extensions, LAST_RESORT_EXTENSION)
  const dictionary = extensionData(extensions, APP_DATA_DICTIONARY)
  const component = dictionary === undefined ? { kind: 'decoded' as const, value: undefined } : decodeWhole(dictionary, readLastResort)
  if (component.kind === 'malformed') return 'malformed'
  const marks = [legacy, component.value].filter((mark) => mark !== undefined)
  if (marks.some((data) => data.length > 0)) return 'malformed'
  return marks.length > 0 ? 'marked' : 'unmarked'
}

/** The data of the component in an AppDataDictionary, whose entries are sorted by component_id and unique. */
function readLastResort(reader: TlsReader): Uint8Array | undefined {
  const components = reader.vector(MAX_COMPONENTS, (item) => ({ id: item.uint16(), data: item.opaque() }))
  components.forEach(({ id }, index) => {
    const before = components[index - 1]
    if (before && before.id >= id) throw new Malformed('the components are not sorted and unique')
  })
  return components.find(({ id }) => id === LAST_RESORT_COMPONENT)?.data
}
