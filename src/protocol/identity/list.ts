import { decodeEntry, ENTRY_LABEL, hashOfEntry, RIGHTS, type DeviceCertificate, type DeviceListEntry, type Revocation } from './entry.js'
import { parseUserUri } from '../identifiers.js'
import {
  activeCertificates,
  certificateOf,
  descendsFrom,
  hashAt,
  lastNumber,
  signerAt,
  type Certified,
  type DeviceList,
} from './device-list.js'
import { faultOfCertificate, spellingOf, SIGNING_SCHEMES } from './certificates.js'
import { broken, valid, type Checked } from './rules.js'
import { verifiedBy, type Signer } from './signatures.js'

export const MAX_ENTRIES = 1_024
/** Beyond this only revocations fit, so that nobody can fill a list to stay in it. */
const MAX_CERTIFIED_ENTRY = 896
const MAX_ACTIVE = 32
const DAY = 86_400n
/** How far a time may be ahead of the reader's clock. */
export const MAX_AHEAD = DAY
/** A device that slept through the end of its certificate may replace it this much later. */
const LATE_REPLACEMENT = 90n * DAY

/**
 * Reads and checks entries that follow a list, or a whole list from entry 1 on, by the rules of docs/identity.md §2.
 * @param user whose list it has to be @param known undefined: entries begin with number 1 @param now seconds since 1970
 */
export async function extendList(
  user: string,
  known: DeviceList | undefined,
  entries: readonly Uint8Array[],
  now: bigint,
): Promise<Checked<DeviceList>> {
  let list = known
  for (const bytes of entries) {
    const decoded = decodeEntry(bytes)
    if (decoded.kind === 'malformed') return broken('entry-encoding')
    if (decoded.value.user !== user) return broken('entry-user')
    if (decoded.value.time > now + MAX_AHEAD) return broken('entry-time')
    const next = await (list === undefined ? begun(decoded.value) : continued(list, decoded.value))
    if (next.kind === 'broken') return next
    list = next.value
  }
  return list === undefined ? broken('entry-first') : valid(list)
}

/** Checks of entry 1. */
async function begun(entry: DeviceListEntry): Promise<Checked<DeviceList>> {
  const { body, user } = entry
  if (parseUserUri(user) === undefined) return broken('entry-user')
  if (entry.number !== 1) return broken('entry-number')
  if (body.type !== 'identity' || entry.signer !== 1) return broken('entry-first')
  if (entry.previous.length !== 0) return broken('entry-previous')
  const { identityKey } = body
  const spelling = spellingOf(identityKey)
  if (spelling === undefined || !SIGNING_SCHEMES.has(identityKey.scheme)) return broken('identity-key')
  if (!(await isSignedBy({ key: identityKey }, entry))) return broken('entry-signature')
  const hash = hashOfEntry(entry)
  const { time } = entry
  return valid({ user, identity: hash, identityKey, hashes: [hash], time, certificates: new Map(), keys: new Map([[spelling, 1]]) })
}

/** Checks of an entry after the first. Signatures last, as they cost most. */
async function continued(list: DeviceList, entry: DeviceListEntry): Promise<Checked<DeviceList>> {
  const { body, number, time } = entry
  if (number !== lastNumber(list) + 1 || number > (body.type === 'revocation' ? MAX_ENTRIES : MAX_CERTIFIED_ENTRY))
    return broken('entry-number')
  if (Buffer.compare(entry.previous, hashAt(list, number - 1) ?? new Uint8Array()) !== 0) return broken('entry-previous')
  if (time < list.time) return broken('entry-time')
  if (body.type === 'identity') return broken('entry-first')
  const signer = signerAt(list, entry.signer, time, replacesItself(list, entry) ? LATE_REPLACEMENT : 0n)
  if (signer === undefined) return broken('entry-signer')
  const next = body.type === 'certificate' ? await certified(list, entry, body.certificate) : revoked(list, entry, body.revocation)
  if (next.kind === 'broken') return next
  if (!mayWrite(list, entry, signer.rights)) return broken('entry-right')
  if (!(await isSignedBy(signer, entry))) return broken('entry-signature')
  return valid({ ...next.value, hashes: [...list.hashes, hashOfEntry(entry)], time })
}

function mayWrite(list: DeviceList, entry: DeviceListEntry, rights: number): boolean {
  const { body, signer } = entry
  if (body.type === 'certificate') return (rights & RIGHTS.enrol) !== 0 || replacesItself(list, entry)
  return (rights & RIGHTS.revoke) !== 0 || (body.type === 'revocation' && body.revocation.revoked === signer)
}

/** Whether a certificate is signed by the one that it replaces. */
function replacesItself(list: DeviceList, { body, signer }: DeviceListEntry): boolean {
  if (body.type !== 'certificate' || body.certificate.kind !== 'device') return false
  return certificateOf(list, body.certificate.subject)?.number === signer
}

async function certified(list: DeviceList, entry: DeviceListEntry, certificate: DeviceCertificate): Promise<Checked<DeviceList>> {
  const { number, signer, time } = entry
  const replaced = certificate.kind === 'device' ? certificateOf(list, certificate.subject) : undefined
  const rule = await faultOfCertificate(list, certificate, signer, replaced)
  if (rule !== undefined) return broken(rule)
  const certificates = new Map(list.certificates)
  if (replaced !== undefined) certificates.set(replaced.number, { ...replaced, end: { by: 'replacement', number, time } })
  certificates.set(number, { ...certificate, number, signer })
  const keys = new Map(list.keys)
  for (const key of certificate.keys) keys.set(spellingOf(key) ?? '', number)
  const next = { ...list, certificates, keys }
  return activeCertificates(next).length > MAX_ACTIVE ? broken('certificate-number') : valid(next)
}

function revoked(list: DeviceList, { number, time, signer }: DeviceListEntry, { revoked: target, since }: Revocation): Checked<DeviceList> {
  const certificate = list.certificates.get(target)
  const isIdentity = target === 1 && signer === 1
  if (!isIdentity && (certificate === undefined || certificate.end !== undefined)) return broken('revocation-target')
  if (since !== 0 && (since <= target || since >= number)) return broken('revocation-target')
  const end = { by: 'revocation' as const, number, time }
  const ends = (one: Certified): boolean =>
    one.end === undefined && (one.number === target || (since !== 0 && one.number >= since && descendsFrom(list, one.number, target)))
  const certificates = [...list.certificates].map(([at, one]) => [at, ends(one) ? { ...one, end } : one] as const)
  return valid({ ...list, identityKey: isIdentity ? undefined : list.identityKey, certificates: new Map(certificates) })
}

function isSignedBy(signer: Signer, { signed, signature }: DeviceListEntry): Promise<boolean> {
  return verifiedBy(signer, ENTRY_LABEL, signed, signature)
}
