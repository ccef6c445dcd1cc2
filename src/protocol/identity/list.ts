import { parseClientUri, parseUserUri, userUri } from '../identifiers.js'
import { SIGNATURE_SCHEMES } from '../mls/signature.js'
import { canonicalKey, isSoundKey } from '../signature-key.js'
import {
  ALL_RIGHTS,
  decodeEntry,
  ENTRY_LABEL,
  hashOfEntry,
  RIGHTS,
  type DeviceCertificate,
  type DeviceListEntry,
  type ListKey,
} from './entry.js'
import { broken, valid, type Checked, type IdentityRule } from './rules.js'
import { verifiedBy, type Signer } from './signatures.js'

export const MAX_ENTRIES = 1_024
const MAX_ACTIVE = 64
const DAY = 86_400n
const MAX_DEVICE_VALIDITY = 400n * DAY
const MAX_OTHER_VALIDITY = 4_000n * DAY

const IDENTITY_SCHEMES: ReadonlySet<number> = new Set([SIGNATURE_SCHEMES.ed25519, SIGNATURE_SCHEMES.ecdsaP256Sha256])

/** A certificate in its list. */
export interface Certified extends DeviceCertificate {
  /** Of the entry. */
  readonly number: number
  readonly signer: number
  /** Number of the entry that ended it, a revocation or the certificate that replaced it; undefined: active. */
  readonly ended?: number | undefined
}

/** What the entries of a list say together. Values are never changed: `extendList` makes new ones. */
export interface DeviceList {
  /** User URI. */
  readonly user: string
  /** `hashOfEntry` of entry 1, 32 bytes. */
  readonly identity: Uint8Array
  readonly identityKey: ListKey
  /** Of the last entry. */
  readonly number: number
  /** `hashOfEntry` of the last entry. */
  readonly hash: Uint8Array
  /** `time` of the last entry. */
  readonly time: bigint
  readonly certificates: ReadonlyMap<number, Certified>
  /** Canonical spelling of each key that was ever in the list, with the subject that has it. */
  readonly keys: ReadonlyMap<string, string>
}

/**
 * Reads and checks entries that follow a list, or a whole list from entry 1 on, by the rules of docs/identity.md §2.
 * @param user whose list it has to be @param known undefined: entries begin with number 1
 */
export async function extendList(
  user: string,
  known: DeviceList | undefined,
  entries: readonly Uint8Array[],
): Promise<Checked<DeviceList>> {
  let list = known
  for (const bytes of entries) {
    const decoded = decodeEntry(bytes)
    if (decoded.kind === 'malformed') return broken('entry-encoding')
    if (decoded.value.user !== user) return broken('entry-user')
    const next = await (list === undefined ? begun(decoded.value) : continued(list, decoded.value))
    if (next.kind === 'broken') return next
    list = next.value
  }
  return list === undefined ? broken('entry-first') : valid(list)
}

/** Who may sign as entry `number` at a time: its first key. undefined: nobody may. */
export function signerAt(list: DeviceList, number: number, time: bigint): (Signer & { rights: number }) | undefined {
  if (number === 1) return { key: list.identityKey, rights: ALL_RIGHTS }
  const certified = list.certificates.get(number)
  const [key] = certified?.keys ?? []
  if (certified === undefined || key === undefined || certified.ended !== undefined) return undefined
  if (time < certified.notBefore || time > certified.notAfter) return undefined
  return { key, rights: certified.rights, rpId: certified.kind === 'passkey' ? certified.subject : undefined }
}

/** Certificates that have not ended; whether they are valid by time is for the caller to ask. */
export function activeCertificates(list: DeviceList): Certified[] {
  return [...list.certificates.values()].filter(({ ended }) => ended === undefined)
}

/** The active certificate of a device. */
export function certificateOf(list: DeviceList, client: string): Certified | undefined {
  return activeCertificates(list).find(({ kind, subject }) => kind === 'device' && subject === client)
}

/** One spelling per key, for comparison; undefined for what is no sound key of its scheme. */
export function spellingOf({ scheme, publicKey }: ListKey): string | undefined {
  const key = canonicalKey(publicKey)
  if (key === undefined || key.scheme !== scheme || !isSoundKey(key)) return undefined
  return Buffer.from(key.publicKey).toString('hex')
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
  if (spelling === undefined || !IDENTITY_SCHEMES.has(identityKey.scheme)) return broken('identity-key')
  if (!(await isSignedBy({ key: identityKey }, entry))) return broken('entry-signature')
  const hash = hashOfEntry(entry)
  return valid({
    user,
    identity: hash,
    identityKey,
    number: 1,
    hash,
    time: entry.time,
    certificates: new Map(),
    keys: new Map([[spelling, '']]),
  })
}

/** Checks of an entry after the first. Signatures last, as they cost most. */
async function continued(list: DeviceList, entry: DeviceListEntry): Promise<Checked<DeviceList>> {
  if (entry.number !== list.number + 1 || entry.number > MAX_ENTRIES) return broken('entry-number')
  if (Buffer.compare(entry.previous, list.hash) !== 0) return broken('entry-previous')
  if (entry.time < list.time) return broken('entry-time')
  if (entry.body.type === 'identity') return broken('entry-first')
  const signer = signerAt(list, entry.signer, entry.time)
  if (signer === undefined) return broken('entry-signer')
  const next = entry.body.type === 'certificate' ? certified(list, entry, entry.body.certificate) : revoked(list, entry, entry.body.revoked)
  if (next.kind === 'broken') return next
  if (!mayWrite(entry, signer.rights)) return broken('entry-right')
  if (!(await isSignedBy(signer, entry))) return broken('entry-signature')
  return valid({ ...next.value, number: entry.number, hash: hashOfEntry(entry), time: entry.time })
}

function mayWrite({ body, signer }: DeviceListEntry, rights: number): boolean {
  if (body.type === 'certificate') return (rights & RIGHTS.enrol) !== 0
  return (rights & RIGHTS.revoke) !== 0 || (body.type === 'revocation' && body.revoked === signer)
}

function certified(list: DeviceList, entry: DeviceListEntry, certificate: DeviceCertificate): Checked<DeviceList> {
  const replaced = certificate.kind === 'device' ? certificateOf(list, certificate.subject) : undefined
  const rule =
    faultOfSubject(list.user, certificate) ??
    faultOfRights(certificate) ??
    faultOfValidity(certificate) ??
    faultOfKeys(list, certificate, replaced !== undefined)
  if (rule !== undefined) return broken(rule)
  const certificates = new Map(list.certificates)
  if (replaced !== undefined) certificates.set(replaced.number, { ...replaced, ended: entry.number })
  certificates.set(entry.number, { ...certificate, number: entry.number, signer: entry.signer })
  const keys = new Map(list.keys)
  for (const key of certificate.keys) keys.set(spellingOf(key) ?? '', holderOf(certificate, entry.number))
  const next = { ...list, certificates, keys }
  return activeCertificates(next).length > MAX_ACTIVE ? broken('certificate-number') : valid(next)
}

function revoked(list: DeviceList, { number }: DeviceListEntry, target: number): Checked<DeviceList> {
  const certificate = list.certificates.get(target)
  if (certificate === undefined || certificate.ended !== undefined) return broken('revocation-target')
  return valid({ ...list, certificates: new Map(list.certificates).set(target, { ...certificate, ended: number }) })
}

function faultOfSubject(user: string, { kind, subject }: DeviceCertificate): IdentityRule | undefined {
  if (kind === 'recovery-key') return subject === '' ? undefined : 'certificate-subject'
  if (kind === 'passkey') return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(subject) ? undefined : 'certificate-subject'
  const client = parseClientUri(subject)
  return client !== undefined && userUri(client) === user ? undefined : 'certificate-subject'
}

function faultOfRights({ kind, rights }: DeviceCertificate): IdentityRule | undefined {
  const possible = kind === 'device' ? ALL_RIGHTS : RIGHTS.enrol
  return (rights & ~possible) === 0 ? undefined : 'certificate-rights'
}

function faultOfValidity({ kind, notBefore, notAfter }: DeviceCertificate): IdentityRule | undefined {
  const longest = kind === 'device' ? MAX_DEVICE_VALIDITY : MAX_OTHER_VALIDITY
  return notBefore < notAfter && notAfter - notBefore <= longest ? undefined : 'certificate-validity'
}

/** @param replaces whether the device has an active certificate, whose keys this one may keep */
function faultOfKeys(list: DeviceList, { kind, keys, subject }: DeviceCertificate, replaces: boolean): IdentityRule | undefined {
  if (keys.length === 0 || (kind !== 'device' && keys.length !== 1)) return 'certificate-keys'
  const spellings = keys.map(spellingOf)
  if (new Set(spellings).size !== keys.length) return 'certificate-keys'
  const usable = spellings.every((spelling) => {
    const holder = spelling === undefined ? undefined : list.keys.get(spelling)
    return spelling !== undefined && (holder === undefined || (replaces && holder === subject && isActiveKey(list, subject, spelling)))
  })
  return usable ? undefined : 'certificate-keys'
}

/** A key that the device has dropped stays dropped. */
function isActiveKey(list: DeviceList, client: string, spelling: string): boolean {
  return certificateOf(list, client)?.keys.some((key) => spellingOf(key) === spelling) ?? false
}

/** A client URI names its device; the others have no name of their own, so the number of their entry stands for one. */
function holderOf({ kind, subject }: DeviceCertificate, number: number): string {
  return kind === 'device' ? subject : `#${number}`
}

function isSignedBy(signer: Signer, { signed, signature }: DeviceListEntry): Promise<boolean> {
  return verifiedBy(signer, ENTRY_LABEL, signed, signature)
}
