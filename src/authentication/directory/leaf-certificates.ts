import type { CertificateEnd, Certified, DeviceList } from '../../protocol/identity/device-list.js'
import { decodeEntry, hashOfEntry, type DeviceListEntry } from '../../protocol/identity/entry.js'
import {
  certificateOfLeaf,
  checkLeafCertificate,
  decodeLeafCertificate,
  LEAF_CERTIFICATE_EXTENSION,
  type CertifiedLeaf,
} from '../../protocol/identity/leaf-certificate.js'
import { IDENTITY_RULES } from '../../protocol/identity/rules.js'
import { extensionData, type Extension } from '../../protocol/mls/structures/extension.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { X509_RULES } from '../../protocol/x509/rules.js'

/** Rules for the certificate of a leaf (docs/identity.md §4), and of X.509 credentials. Listed with the others in docs/mls-rules.md. */
export const CERTIFICATE_RULES = {
  'device-certificate': ['docs/identity.md §4', IDENTITY_RULES['device-certificate']],
  'device-certificate-leaf': ['docs/identity.md §4', IDENTITY_RULES['device-certificate-leaf']],
  'device-certificate-current': ['docs/identity.md §4', IDENTITY_RULES['device-certificate-current']],
  'device-certificate-missing': [
    'docs/identity.md §4',
    'In a group with `identities: certified` every new or changed leaf has a certificate: in its extension, or, where the group does not require the extension, in the device list under the leaf’s key.',
  ],
  'device-certificate-identity': ['docs/identity.md §4', 'All leaves of one user in a group are of one identity.'],
  ...X509_RULES,
} as const satisfies Record<string, readonly [section: string, says: string]>

export type CertificateRule = keyof typeof CERTIFICATE_RULES

/** A leaf with the data of its extension, if it has one. */
export interface ShownLeaf {
  client: string
  /** As MLS encodes it. */
  publicKey: Uint8Array
  extension: Uint8Array | undefined
}

/** What the present list of a user says of one certificate, and of the entries that one needs to judge it; whole entries. */
export interface ListedCertificate {
  identity: Uint8Array | null
  /** Of the list's last entry. */
  listNumber: number
  /** Of the certificate. */
  number: number
  certificate: Uint8Array | null
  /** The entry that the leaf names as the newest one that it knows. */
  shown: Uint8Array | null
  /** Number of the entry that ended it, and that entry; null: active. */
  ended: number | null
  ending: Uint8Array | null
}

export type LeafVerdict =
  | { kind: 'certified'; identity: Uint8Array; number: number; ended: number | null }
  | { kind: 'uncertified' }
  | { kind: 'broken'; rule: CertificateRule }

/** The data of the extension among a leaf's. */
export function certificateIn(extensions: readonly Extension[]): Uint8Array | undefined {
  return extensionData(extensions, LEAF_CERTIFICATE_EXTENSION)
}

/** Numbers of the entries that a leaf's extension speaks of; null: it has none, or one that does not decode. */
export function numbersIn(extension: Uint8Array | undefined): { certificate: number | null; listNumber: number | null } {
  const decoded = extension && decodeLeafCertificate(extension)
  if (decoded?.kind !== 'decoded') return { certificate: null, listNumber: null }
  const { certificate, listNumber } = decoded.value
  // Beyond that no list goes, nor an integer of PostgreSQL.
  return { certificate: Math.min(certificate.number, MAX_NUMBER), listNumber: Math.min(listNumber, MAX_NUMBER) }
}

const MAX_NUMBER = 0x7fffffff

/** What a leaf's extension says of the list of its user, for the directory; undefined: it has none, or one that does not decode. */
export function listIn(extension: Uint8Array | undefined): { identity: Uint8Array; number: number } | undefined {
  const decoded = extension && decodeLeafCertificate(extension)
  if (decoded?.kind !== 'decoded') return undefined
  return { identity: decoded.value.identity, number: Math.min(decoded.value.listNumber, MAX_NUMBER) }
}

/**
 * Whether a leaf is certified, by what the database says of it: no signature is checked, as the entries of the list were. The list of a user of another
 * provider was asked for just before, where the leaf names an entry that the copy did not have.
 * @param now seconds since 1970
 */
export function judgeLeaf(leaf: ShownLeaf, listed: ListedCertificate, now: bigint): LeafVerdict {
  const key = canonicalKey(leaf.publicKey)
  const { extension, client } = leaf
  const list = partOf(listed)
  const certified: CertifiedLeaf = { client, scheme: key?.scheme ?? 0, signatureKey: leaf.publicKey }
  if (extension === undefined) {
    const found = list && certificateOfLeaf(list, certified, now)
    return found && list
      ? { kind: 'certified', identity: list.identity, number: found.number, ended: found.end?.number ?? null }
      : { kind: 'uncertified' }
  }
  if (list === undefined) return { kind: 'broken', rule: 'device-certificate' }
  const checked = checkLeafCertificate(list, extension, certified, now)
  if (checked.kind === 'broken') return { kind: 'broken', rule: checked.rule as CertificateRule }
  const { number, end } = checked.value.certificate
  return { kind: 'certified', identity: list.identity, number, ended: end?.number ?? null }
}

/** The list as far as it is known: the hash of its last entry, of the certificate, and of what the leaf has shown. */
function partOf({ identity, listNumber, number, certificate, shown, ended, ending }: ListedCertificate): DeviceList | undefined {
  const entry = decoded(certificate)
  if (identity === null || entry?.body.type !== 'certificate') return undefined
  const hashes: Uint8Array[] = Array.from({ length: listNumber })
  for (const known of [entry, decoded(shown)]) if (known) hashes[known.number - 1] = hashOfEntry(known)
  const end = ended === null ? undefined : endBy(decoded(ending), ended)
  const certified: Certified = { ...entry.body.certificate, number, signer: entry.signer, certifiedAt: entry.time, ...(end && { end }) }
  return { ...NOTHING, user: entry.user, identity, hashes, time: entry.time, certificates: new Map([[number, certified]]) }
}

/** What ended a certificate otherwise than by an entry of the list counts as a revocation. */
function endBy(entry: DeviceListEntry | undefined, number: number): CertificateEnd {
  return { by: entry?.body.type === 'certificate' ? 'replacement' : 'revocation', number, time: entry?.time ?? 0n }
}

const NOTHING = { identityKey: undefined, keys: new Map<string, number>() }

function decoded(bytes: Uint8Array | null): DeviceListEntry | undefined {
  const entry = bytes === null ? undefined : decodeEntry(bytes)
  return entry?.kind === 'decoded' ? entry.value : undefined
}
