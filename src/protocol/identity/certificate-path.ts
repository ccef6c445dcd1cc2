import { parseClientUri, userUri } from '../identifiers.js'
import { decodeWhole, type Decoded } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { ENTRY_LABEL, hashOfEntry, readEntry, RIGHTS, type DeviceCertificate, type DeviceListEntry } from './entry.js'
import { spellingOf } from './list.js'
import { broken, valid, type Checked } from './rules.js'
import { verifiedBy, type Signer } from './signatures.js'

/** LeafNode extension `device_certificate_path`, of the private-use range of RFC 9420 §17.3. */
export const CERTIFICATE_PATH_EXTENSION = 0xf1d0

const MAX_PATH = 16

/** A leaf, as far as a certificate has to fit it. */
export interface CertifiedLeaf {
  /** Client URI in the credential. */
  readonly client: string
  /** TLS SignatureScheme of the leaf's key. */
  readonly scheme: number
  readonly signatureKey: Uint8Array
}

/** What a valid path shows: by itself not that the certificate has not ended. */
export interface CertificatePath {
  /** `hashOfEntry` of entry 1. */
  readonly identity: Uint8Array
  /** From entry 1 to the device's own. */
  readonly entries: readonly DeviceListEntry[]
  /** The device's own, and its entry. */
  readonly certificate: DeviceCertificate
  readonly entry: DeviceListEntry
}

/** DeviceCertificatePath of docs/identity.md §4: the data of the extension. Never throws. */
export function decodeCertificatePath(data: Uint8Array): Decoded<DeviceListEntry[]> {
  return decodeWhole(data, (reader) => reader.vector(MAX_PATH, readEntry))
}

/** The data of the extension, of whole encoded entries. */
export function encodeCertificatePath(entries: readonly Uint8Array[]): Uint8Array {
  return new TlsWriter().vector(entries, (item, entry) => item.raw(entry)).written()
}

/**
 * Whether a leaf's extension certifies it (docs/identity.md §4).
 * @param now seconds since 1970
 */
export async function checkCertificatePath(data: Uint8Array, leaf: CertifiedLeaf, now: bigint): Promise<Checked<CertificatePath>> {
  const decoded = decodeCertificatePath(data)
  if (decoded.kind === 'malformed') return broken('device-certificate')
  const entries = decoded.value
  const client = parseClientUri(leaf.client)
  const [first] = entries
  const last = entries.at(-1)
  if (client === undefined || first === undefined || last === undefined) return broken('device-certificate')
  if (entries.some(({ user }) => user !== userUri(client))) return broken('device-certificate')
  if (last.body.type !== 'certificate' || !fits(last.body.certificate, leaf, now)) return broken('device-certificate-leaf')
  if (!(await isUnbroken(entries))) return broken('device-certificate')
  return valid({ identity: hashOfEntry(first), entries, certificate: last.body.certificate, entry: last })
}

function fits({ kind, subject, keys, notBefore, notAfter }: DeviceCertificate, leaf: CertifiedLeaf, now: bigint): boolean {
  if (kind !== 'device' || subject !== leaf.client || now < notBefore || now > notAfter) return false
  const spelling = spellingOf({ scheme: leaf.scheme, publicKey: leaf.signatureKey })
  return spelling !== undefined && keys.some((key) => spellingOf(key) === spelling)
}

/** Each entry is signed by the one before it, which had the right to and was valid then. */
async function isUnbroken(entries: readonly DeviceListEntry[]): Promise<boolean> {
  const [first, ...certificates] = entries
  if (first === undefined || first.body.type !== 'identity' || first.number !== 1 || first.signer !== 1) return false
  if (spellingOf(first.body.identityKey) === undefined) return false
  const holds = [verifiedBy({ key: first.body.identityKey }, ENTRY_LABEL, first.signed, first.signature)]
  let [before, number]: [Signer, number] = [{ key: first.body.identityKey }, 1]
  for (const entry of certificates) {
    if (entry.body.type !== 'certificate' || entry.signer !== number || entry.number <= number) return false
    holds.push(verifiedBy(before, ENTRY_LABEL, entry.signed, entry.signature))
    const next = issuerOf(entry.body.certificate)
    if (next === undefined) return false
    ;[before, number] = [next, entry.number]
    if (entry !== certificates.at(-1) && !mayIssue(entry.body.certificate, certificates[certificates.indexOf(entry) + 1])) return false
  }
  return (await Promise.all(holds)).every(Boolean)
}

function issuerOf({ kind, subject, keys }: DeviceCertificate): Signer | undefined {
  const [key] = keys
  return key && spellingOf(key) !== undefined ? { key, rpId: kind === 'passkey' ? subject : undefined } : undefined
}

function mayIssue({ rights, notBefore, notAfter }: DeviceCertificate, next: DeviceListEntry | undefined): boolean {
  return (rights & RIGHTS.enrol) !== 0 && next !== undefined && next.time >= notBefore && next.time <= notAfter
}
