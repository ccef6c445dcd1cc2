import {
  decodeEntry,
  ENTRY_LABEL,
  hashOfEntry,
  RIGHTS,
  type DeviceCertificate,
  type DeviceListEntry,
  type EntryBody,
  type Revocation,
} from './entry.js'
import { parseUserUri } from '../identifiers.js'
import {
  activeCertificates,
  certificateOf,
  certificatesOfHolder,
  hangsFrom,
  hashAt,
  isRecoverySigner,
  lastNumber,
  signerAt,
  type Certified,
  type DeviceList,
} from './device-list.js'
import { faultOfCertificate, faultOfKeys, isSigningKey, spellingOf } from './certificates.js'
import { broken, valid, type Checked, type IdentityRule } from './rules.js'
import { verifiedBy, type Signer } from './signatures.js'

/** More entries than a list can have: what follows the last certificate revokes, and there is little to revoke. */
export const MAX_ENTRIES = 1_024
/**
 * Numbers up to which a certificate may be signed by any holder, and by a recovery signer. Between the two a thief of a device can only revoke what is
 * active, which is 32 at most: the rest stays for the user to come back. Behind them is room to revoke all that is active.
 */
const MAX_CERTIFIED_ENTRY = { anybody: 864, recoverySigner: 960 } as const
/** Active certificates that a holder, and a recovery signer, may bring about. */
const MAX_ACTIVE = { anybody: 24, recoverySigner: 32 } as const
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
    if (list === undefined) {
      const first = await begun(entry, now)
      if (first.kind === 'broken') return first
      list = first.value
    } else {
      const rule = await faultOfEntry(list, entry, now)
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
async function begun(entry: DeviceListEntry, now: bigint): Promise<Checked<GrowingList>> {
  const { body, user, time } = entry
  if (parseUserUri(user) === undefined) return broken('entry-user')
  if (entry.number !== 1) return broken('entry-number')
  if (entry.previous.length !== 0) return broken('entry-previous')
  if (time > now + MAX_AHEAD) return broken('entry-time')
  if (body.type !== 'identity' || entry.signer !== 1) return broken('entry-first')
  const { identityKey } = body
  const spelling = spellingOf(identityKey)
  if (spelling === undefined || !isSigningKey(identityKey)) return broken('identity-key')
  if (!(await isSignedBy({ key: identityKey }, entry))) return broken('entry-signature')
  const hash = hashOfEntry(entry)
  return valid({ user, identity: hash, identityKey, hashes: [hash], time, certificates: new Map(), keys: new Map([[spelling, 1]]) })
}

/** Checks of an entry after the first, in the order of docs/identity.md §2: who is nobody in the list makes nobody check keys and possession. */
async function faultOfEntry(list: DeviceList, entry: DeviceListEntry, now: bigint): Promise<IdentityRule | undefined> {
  const { body, number, time } = entry
  if (number !== lastNumber(list) + 1 || number > maxNumber(list, entry)) return 'entry-number'
  if (Buffer.compare(entry.previous, hashAt(list, number - 1) ?? new Uint8Array()) !== 0) return 'entry-previous'
  if (time < list.time || time > now + MAX_AHEAD) return 'entry-time'
  if (body.type === 'identity') return 'entry-first'
  const replaced = body.type === 'certificate' ? replacedBy(list, body.certificate) : undefined
  const replacesItself = replaced?.number === entry.signer
  const signer = signerAt(list, entry.signer, time, replacesItself ? LATE_REPLACEMENT : 0n)
  if (signer === undefined) return 'entry-signer'
  if (!replacesItself && !mayWrite(body, entry.signer, signer.rights)) return 'entry-right'
  const ofBody =
    body.type === 'certificate'
      ? faultOfCertified(list, entry, body.certificate, replaced)
      : faultOfRevocation(list, entry, body.revocation)
  if (ofBody !== undefined) return ofBody
  if (!(await isSignedBy(signer, entry))) return 'entry-signature'
  return body.type === 'certificate' ? faultOfKeys(list, body.certificate, replaced) : undefined
}

/** The greatest number that an entry of this kind may have. What revokes needs none: it needs something active. */
function maxNumber(list: DeviceList, { body, signer, time }: DeviceListEntry): number {
  if (body.type !== 'certificate') return Number.POSITIVE_INFINITY
  return isRecoverySigner(list, signer, time) ? MAX_CERTIFIED_ENTRY.recoverySigner : MAX_CERTIFIED_ENTRY.anybody
}

function mayWrite(body: EntryBody, signer: number, rights: number): boolean {
  if (body.type === 'certificate') return (rights & RIGHTS.enrol) !== 0
  return (rights & RIGHTS.revoke) !== 0 || (body.type === 'revocation' && body.revocation.revoked === signer)
}

function replacedBy(list: DeviceList, { kind, subject }: DeviceCertificate): Certified | undefined {
  return kind === 'device' ? certificateOf(list, subject) : undefined
}

function faultOfCertified(
  list: DeviceList,
  { signer, time }: DeviceListEntry,
  certificate: DeviceCertificate,
  replaced: Certified | undefined,
): IdentityRule | undefined {
  const rule = faultOfCertificate(list, certificate, signer, replaced)
  if (rule !== undefined || replaced !== undefined) return rule
  const most = isRecoverySigner(list, signer, time) ? MAX_ACTIVE.recoverySigner : MAX_ACTIVE.anybody
  return activeCertificates(list).length < most ? undefined : 'certificate-number'
}

function faultOfRevocation(
  list: DeviceList,
  { number, signer }: DeviceListEntry,
  { revoked, since }: Revocation,
): IdentityRule | undefined {
  const isIdentityKey = revoked === 1 && signer === 1
  const target = list.certificates.get(revoked)
  if (!isIdentityKey && (target === undefined || target.end !== undefined)) return 'revocation-target'
  return since >= number ? 'revocation-target' : undefined
}

/** What a checked entry changes. */
function append(list: GrowingList, entry: DeviceListEntry): void {
  const { number, signer, time, body } = entry
  if (body.type === 'certificate') {
    const replaced = replacedBy(list, body.certificate)
    if (replaced !== undefined) list.certificates.set(replaced.number, { ...replaced, end: { by: 'replacement', number, time } })
    list.certificates.set(number, { ...body.certificate, number, signer, certifiedAt: time })
    for (const key of body.certificate.keys) list.keys.set(spellingOf(key) ?? '', number)
  }
  if (body.type === 'revocation') end(list, entry, body.revocation)
  list.hashes.push(hashOfEntry(entry))
  list.time = time
}

function end(list: GrowingList, { number, time }: DeviceListEntry, { revoked, since }: Revocation): void {
  if (revoked === 1) list.identityKey = undefined
  const issuers = certificatesOfHolder(list, revoked)
  // Only those that are active, of which there are few: each step up the chain of signers costs.
  for (const one of activeCertificates(list)) {
    const goesAlong = since !== 0 && hangsFrom(list, one.number, issuers, since)
    if (one.number === revoked || goesAlong) list.certificates.set(one.number, { ...one, end: { by: 'revocation', number, time } })
  }
}

function isSignedBy(signer: Signer, { signed, signature }: DeviceListEntry): Promise<boolean> {
  return verifiedBy(signer, ENTRY_LABEL, signed, signature)
}
