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
import { broken, valid, type Checked, type IdentityRule } from './rules.js'
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
 * Reads and checks entries that follow a list, or a whole list from entry 1 on, by the rules of docs/identity.md §2. `known` stays as it is.
 * @param user whose list it has to be @param known undefined: entries begin with number 1 @param now seconds since 1970
 */
export async function extendList(
  user: string,
  known: DeviceList | undefined,
  entries: readonly Uint8Array[],
  now: bigint,
): Promise<Checked<DeviceList>> {
  let list = known && { ...known, hashes: [...known.hashes], certificates: new Map(known.certificates), keys: new Map(known.keys) }
  for (const bytes of entries) {
    const decoded = decodeEntry(bytes)
    if (decoded.kind === 'malformed') return broken('entry-encoding')
    const entry = decoded.value
    if (entry.user !== user) return broken('entry-user')
    if (entry.time > now + MAX_AHEAD) return broken('entry-time')
    if (list === undefined) {
      const first = await begun(entry)
      if (first.kind === 'broken') return first
      list = first.value
    } else {
      const rule = await faultOfEntry(list, entry)
      if (rule !== undefined) return broken(rule)
      append(list, entry)
    }
  }
  return list === undefined ? broken('entry-first') : valid(list)
}

/** A list under construction. */
interface GrowingList extends DeviceList {
  identityKey: DeviceList['identityKey']
  readonly hashes: Uint8Array[]
  time: bigint
  readonly certificates: Map<number, Certified>
  readonly keys: Map<string, number>
}

/** Checks of entry 1. */
async function begun(entry: DeviceListEntry): Promise<Checked<GrowingList>> {
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
async function faultOfEntry(list: DeviceList, entry: DeviceListEntry): Promise<IdentityRule | undefined> {
  const { body, number, time } = entry
  if (number !== lastNumber(list) + 1 || number > (body.type === 'revocation' ? MAX_ENTRIES : MAX_CERTIFIED_ENTRY)) return 'entry-number'
  if (Buffer.compare(entry.previous, hashAt(list, number - 1) ?? new Uint8Array()) !== 0) return 'entry-previous'
  if (time < list.time) return 'entry-time'
  if (body.type === 'identity') return 'entry-first'
  const signer = signerAt(list, entry.signer, time, replacesItself(list, entry) ? LATE_REPLACEMENT : 0n)
  if (signer === undefined) return 'entry-signer'
  const ofBody =
    body.type === 'certificate'
      ? await faultOfCertified(list, entry.signer, body.certificate)
      : faultOfRevocation(list, entry, body.revocation)
  if (ofBody !== undefined) return ofBody
  if (!mayWrite(list, entry, signer.rights)) return 'entry-right'
  return (await isSignedBy(signer, entry)) ? undefined : 'entry-signature'
}

function mayWrite(list: DeviceList, entry: DeviceListEntry, rights: number): boolean {
  const { body, signer } = entry
  if (body.type === 'certificate') return (rights & RIGHTS.enrol) !== 0 || replacesItself(list, entry)
  return (rights & RIGHTS.revoke) !== 0 || (body.type === 'revocation' && body.revocation.revoked === signer)
}

/** Whether a certificate is signed by the one that it replaces. */
function replacesItself(list: DeviceList, { body, signer }: DeviceListEntry): boolean {
  return body.type === 'certificate' && replacedBy(list, body.certificate)?.number === signer
}

function replacedBy(list: DeviceList, { kind, subject }: DeviceCertificate): Certified | undefined {
  return kind === 'device' ? certificateOf(list, subject) : undefined
}

async function faultOfCertified(list: DeviceList, signer: number, certificate: DeviceCertificate): Promise<IdentityRule | undefined> {
  const replaced = replacedBy(list, certificate)
  const active = activeCertificates(list).length + (replaced === undefined ? 1 : 0)
  return active > MAX_ACTIVE ? 'certificate-number' : faultOfCertificate(list, certificate, signer, replaced)
}

function faultOfRevocation(
  list: DeviceList,
  { number, signer }: DeviceListEntry,
  { revoked, since }: Revocation,
): IdentityRule | undefined {
  const isIdentityKey = revoked === 1 && signer === 1
  const target = list.certificates.get(revoked)
  if (!isIdentityKey && (target === undefined || target.end !== undefined)) return 'revocation-target'
  return since !== 0 && (since <= revoked || since >= number) ? 'revocation-target' : undefined
}

/** What a checked entry changes. */
function append(list: GrowingList, entry: DeviceListEntry): void {
  const { number, signer, time, body } = entry
  if (body.type === 'certificate') {
    const replaced = replacedBy(list, body.certificate)
    if (replaced !== undefined) list.certificates.set(replaced.number, { ...replaced, end: { by: 'replacement', number, time } })
    list.certificates.set(number, { ...body.certificate, number, signer })
    for (const key of body.certificate.keys) list.keys.set(spellingOf(key) ?? '', number)
  }
  if (body.type === 'revocation') end(list, entry, body.revocation)
  list.hashes.push(hashOfEntry(entry))
  list.time = time
}

function end(list: GrowingList, { number, time }: DeviceListEntry, { revoked, since }: Revocation): void {
  if (revoked === 1) list.identityKey = undefined
  for (const one of list.certificates.values()) {
    const goesAlong = since !== 0 && one.number >= since && descendsFrom(list, one.number, revoked)
    if (one.end === undefined && (one.number === revoked || goesAlong))
      list.certificates.set(one.number, { ...one, end: { by: 'revocation', number, time } })
  }
}

function isSignedBy(signer: Signer, { signed, signature }: DeviceListEntry): Promise<boolean> {
  return verifiedBy(signer, ENTRY_LABEL, signed, signature)
}
