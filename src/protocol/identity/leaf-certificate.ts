import { canonicalKey } from '../signature-key.js'
import { decodeWhole, type Decoded } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { hashOfEntry, readEntry, type DeviceListEntry } from './entry.js'
import { activeCertificates, hashAt, lastNumber, type Certified, type DeviceList } from './device-list.js'
import { broken, valid, type Checked } from './rules.js'

/** LeafNode extension `device_certificate`, of the private-use range of RFC 9420 §17.3. */
export const LEAF_CERTIFICATE_EXTENSION = 0xf1d0

/** How long a leaf keeps a certificate that its own device has replaced: time for an Update in every group. */
export const REPLACED_CERTIFICATE_GRACE = 7n * 86_400n

/** LeafCertificate of docs/identity.md §4: the data of the extension. */
export interface LeafCertificate {
  /** `hashOfEntry` of entry 1. */
  readonly identity: Uint8Array
  /** The newest state of the list that the device knows: members who are shown an older one know that something is withheld. */
  readonly listNumber: number
  readonly listHash: Uint8Array
  /** The device's own, of the list. */
  readonly certificate: DeviceListEntry
}

/** A leaf, as far as a certificate has to fit it. */
export interface CertifiedLeaf {
  /** Client URI in the credential. */
  readonly client: string
  /** TLS SignatureScheme of the leaf's key. */
  readonly scheme: number
  readonly signatureKey: Uint8Array
}

/** Strict. Never throws. */
export function decodeLeafCertificate(data: Uint8Array): Decoded<LeafCertificate> {
  return decodeWhole(data, (reader) => ({
    identity: reader.opaque(),
    listNumber: reader.uint32(),
    listHash: reader.opaque(),
    certificate: readEntry(reader),
  }))
}

/** The data of the extension. @param entry the whole DeviceListEntry */
export function encodeLeafCertificate(identity: Uint8Array, listNumber: number, listHash: Uint8Array, entry: Uint8Array): Uint8Array {
  return new TlsWriter().opaque(identity).uint32(listNumber).opaque(listHash).raw(entry).written()
}

/** What is left to ask when the leaf and the list fit each other. */
export interface CheckedLeaf {
  readonly certificate: Certified
  /** The leaf knows of entries that this list does not have: something was withheld, or is under way. */
  readonly listIsBehind: boolean
}

/**
 * Whether a leaf is certified by the extension that it carries, in the list of its user (docs/identity.md §4).
 * @param now seconds since 1970
 */
export function checkLeafCertificate(list: DeviceList, data: Uint8Array, leaf: CertifiedLeaf, now: bigint): Checked<CheckedLeaf> {
  const decoded = decodeLeafCertificate(data)
  if (decoded.kind === 'malformed') return broken('device-certificate')
  const { identity, listNumber, listHash, certificate: entry } = decoded.value
  if (Buffer.compare(identity, list.identity) !== 0 || listNumber < entry.number) return broken('device-certificate')
  if (!isEqual(hashAt(list, entry.number), hashOfEntry(entry))) return broken('device-certificate')
  const listIsBehind = listNumber > lastNumber(list)
  if (!listIsBehind && !isEqual(hashAt(list, listNumber), listHash)) return broken('device-certificate')
  const certificate = list.certificates.get(entry.number)
  if (certificate === undefined || !fits(certificate, leaf, now)) return broken('device-certificate-leaf')
  return isCurrent(certificate, now) ? valid({ certificate, listIsBehind }) : broken('device-certificate-current')
}

/** The certificate of a leaf that carries none, by its key: what docs/identity.md §4 allows where the group does not require the extension. */
export function certificateOfLeaf(list: DeviceList, leaf: CertifiedLeaf, now: bigint): Certified | undefined {
  const replaced = [...list.certificates.values()].filter(({ end }) => end !== undefined)
  return [...activeCertificates(list), ...replaced].find((one) => fits(one, leaf, now) && isCurrent(one, now))
}

function fits({ kind, subject, keys, notBefore, notAfter }: Certified, leaf: CertifiedLeaf, now: bigint): boolean {
  if (kind !== 'device' || subject !== leaf.client || now < notBefore || now > notAfter) return false
  return keys.some((key) => key.scheme === leaf.scheme && isSamePoint(key.publicKey, leaf.signatureKey))
}

/** Of one scheme, points compressed or not. That the key is sound was asked when it was certified, which takes longer than all else about a leaf. */
function isSamePoint(certified: Uint8Array, shown: Uint8Array): boolean {
  if (Buffer.compare(certified, shown) === 0) return true
  const [one, other] = [certified, shown].map((bytes) => canonicalKey(bytes)?.publicKey)
  return one !== undefined && other !== undefined && Buffer.compare(one, other) === 0
}

function isCurrent({ end }: Certified, now: bigint): boolean {
  return end === undefined || (end.by === 'replacement' && now <= end.time + REPLACED_CERTIFICATE_GRACE)
}

function isEqual(expected: Uint8Array | undefined, found: Uint8Array): boolean {
  return expected !== undefined && Buffer.compare(expected, found) === 0
}
