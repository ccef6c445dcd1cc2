import { faultOfCertificate, faultOfKeys } from './certificate-rules.js'
import { isSigningKey, spelling, verifyLabelled } from './keys.js'
import { broken } from './refused.js'
import {
  decodeEntry,
  decodeHead,
  hashOf,
  isUserUri,
  RIGHTS,
  type Certificate,
  type HeadContent,
  type ListEntry,
  type ListHead,
  type ListKey,
  type Revocation,
} from './structures.js'
import { NotDecodable } from '../mls/tls.js'

export const ENTRY_LABEL = 'MicroChat Device List Entry'
export const HEAD_LABEL = 'MicroChat Device List Head'
export const DAY = 86_400n

/** A certificate in its list. */
export interface Held extends Certificate {
  number: number
  signer: number
  /** `time` of the entry. */
  certifiedAt: bigint
  /** What ended it, and when. */
  end?: { by: 'revocation' | 'replacement'; time: bigint }
}

/** A device list that was verified from its first entry on. */
export interface VerifiedList {
  user: string
  /** Hash of entry 1. */
  identity: Uint8Array
  /** undefined: has ended. */
  identityKey: ListKey | undefined
  entries: readonly ListEntry[]
  certificates: ReadonlyMap<number, Held>
  /** Each key that was ever in the list, with the number of the last certificate that has it. */
  holders: ReadonlyMap<string, number>
}

/** A list that is being read. */
interface GrowingList extends VerifiedList {
  entries: ListEntry[]
  certificates: Map<number, Held>
  holders: Map<string, number>
}

export const numberOf = ({ entries }: Pick<VerifiedList, 'entries'>): number => entries.length

/** Hash of entry `number`; empty if there is none. */
export function hashAt({ entries }: Pick<VerifiedList, 'entries'>, number: number): Uint8Array {
  const entry = entries[number - 1]
  return entry ? hashOf(entry) : new Uint8Array()
}

export function active({ certificates }: Pick<VerifiedList, 'certificates'>): Held[] {
  return [...certificates.values()].filter(({ end }) => end === undefined)
}

export function activeDevice(list: Pick<VerifiedList, 'certificates'>, client: string): Held | undefined {
  return active(list).find(({ kind, subject }) => kind === 'device' && subject === client)
}

/**
 * Reads entries that follow `known`, or a whole list.
 * @param now seconds since 1970 @throws IdentityRefused with the rule that is broken
 */
export function readList(user: string, entries: readonly Uint8Array[], now: bigint, known?: VerifiedList): VerifiedList {
  // One copy: a list of a thousand entries that copied itself for each of them would take a million steps.
  let list: GrowingList | undefined = known && {
    ...known,
    entries: [...known.entries],
    certificates: new Map(known.certificates),
    holders: new Map(known.holders),
  }
  for (const bytes of entries) {
    const entry = orRule(user, 'entry-encoding', () => decodeEntry(bytes))
    if (entry.user !== user) throw broken(user, 'entry-user')
    if (list) append(list, entry, now)
    else list = begun(entry, now)
  }
  if (!list) throw broken(user, 'entry-first')
  return list
}

/** @throws IdentityRefused with the rule that is broken; whether it has expired is asked elsewhere */
export function readHead(list: VerifiedList, bytes: Uint8Array, now: bigint): ListHead {
  const refuse = (rule: string) => broken(list.user, rule)
  const head = orRule(list.user, 'head-encoding', () => decodeHead(bytes))
  const { number, hash, issuedAt, expiresAt } = head
  if (head.user !== list.user) throw refuse('head-user')
  if (number !== numberOf(list) || !same(hash, hashAt(list, number))) throw refuse('head-entry')
  const last = list.entries[number - 1]
  if (!last || issuedAt < last.time || issuedAt > now + DAY) throw refuse('head-validity')
  if (issuedAt >= expiresAt || expiresAt > issuedAt + 30n * DAY) throw refuse('head-validity')
  const signer = signerAt(list, head.signer, issuedAt)
  if (!signer) throw refuse('head-signer')
  if (!(signer.rights & RIGHTS.attest)) throw refuse('head-right')
  if (!verifyLabelled(signer.key, signer.rpId, HEAD_LABEL, head.signed, head.signature)) throw refuse('head-signature')
  return head
}

/** Whether a head counts instead of the one that is kept. Dates say something only about heads of the same entries. */
export const supersedes = (head: HeadContent, kept: HeadContent): boolean =>
  head.number > kept.number || (head.number === kept.number && head.issuedAt > kept.issuedAt)

/** Seconds after the end of a head; 0 or less while it is good. */
export const overdue = ({ expiresAt }: Pick<HeadContent, 'expiresAt'>, now: bigint): bigint => now - expiresAt

export function orRule<T>(user: string, rule: string, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof NotDecodable) throw broken(user, rule)
    throw error
  }
}

export const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

function begun(entry: ListEntry, now: bigint): GrowingList {
  const { user, body } = entry
  const refuse = (rule: string) => broken(user, rule)
  if (!isUserUri(user)) throw refuse('entry-user')
  if (entry.number !== 1) throw refuse('entry-number')
  if (entry.previous.length > 0) throw refuse('entry-previous')
  if (entry.time > now + DAY) throw refuse('entry-time')
  if (body.type !== 'identity' || entry.signer !== 1) throw refuse('entry-first')
  const { identityKey } = body
  const written = spelling(identityKey)
  if (written === undefined || !isSigningKey(identityKey)) throw refuse('identity-key')
  if (!verifyLabelled(identityKey, undefined, ENTRY_LABEL, entry.signed, entry.signature)) throw refuse('entry-signature')
  return { user, identity: hashOf(entry), identityKey, entries: [entry], certificates: new Map(), holders: new Map([[written, 1]]) }
}

/** Checks an entry by the rules in the order of docs/identity.md §2, and takes it into the list. */
function append(list: GrowingList, entry: ListEntry, now: bigint): void {
  const refuse = (rule: string) => broken(list.user, rule)
  const { body, number, signer: by, time } = entry
  if (number !== numberOf(list) + 1 || number > greatestNumber(list, entry)) throw refuse('entry-number')
  if (!same(entry.previous, hashAt(list, number - 1))) throw refuse('entry-previous')
  if (time < (list.entries.at(-1)?.time ?? 0n) || time > now + DAY) throw refuse('entry-time')
  if (body.type === 'identity') throw refuse('entry-first')
  const replaced = body.type === 'certificate' ? replacedBy(list, body.certificate) : undefined
  const renewsItself = replaced?.number === by
  const signer = signerAt(list, by, time, renewsItself ? 90n * DAY : 0n)
  if (!signer) throw refuse('entry-signer')
  const itself = body.type === 'revocation' ? body.revocation.revoked === by : renewsItself
  if (!itself && !(signer.rights & (body.type === 'certificate' ? RIGHTS.enrol : RIGHTS.revoke))) throw refuse('entry-right')
  const fault =
    body.type === 'certificate' ? certificateFault(list, entry, body.certificate, replaced) : targetFault(list, entry, body.revocation)
  if (fault !== undefined) throw refuse(fault)
  if (!verifyLabelled(signer.key, signer.rpId, ENTRY_LABEL, entry.signed, entry.signature)) throw refuse('entry-signature')
  if (body.type === 'certificate') certify(list, entry, body.certificate, replaced)
  else revoke(list, entry, body.revocation)
  list.entries.push(entry)
}

/** Between the two a thief of a device only revokes; behind them is room to revoke all that is active. */
function greatestNumber(list: VerifiedList, { body, signer, time }: ListEntry): number {
  if (body.type !== 'certificate') return Infinity
  return isRecoverySigner(list, signer, time) ? 960 : 864
}

/**
 * For whom a part of the list is kept: the identity key, and a recovery key or a passkey that it has certified, or that has been in the list for a
 * week. What a thief certifies is none before its user has had time to end it.
 */
export function isRecoverySigner({ certificates }: Pick<VerifiedList, 'certificates'>, number: number, time: bigint): boolean {
  const held = certificates.get(number)
  return number === 1 || (held !== undefined && held.kind !== 'device' && (held.signer === 1 || time >= held.certifiedAt + 7n * DAY))
}

interface EntrySigner {
  key: ListKey
  rights: number
  rpId: string | undefined
}

function signerAt(list: VerifiedList, number: number, time: bigint, late = 0n): EntrySigner | undefined {
  if (number === 1) return list.identityKey && { key: list.identityKey, rights: RIGHTS.all, rpId: undefined }
  const held = list.certificates.get(number)
  const key = held?.keys[0]
  if (!held || !key || held.end || time < held.notBefore || time > held.notAfter + late) return undefined
  return { key, rights: held.rights, rpId: held.kind === 'passkey' ? held.subject : undefined }
}

function certificateFault(list: VerifiedList, { signer, time }: ListEntry, certificate: Certificate, replaced: Held | undefined) {
  const fault = faultOfCertificate(list, certificate, signer, replaced)
  if (fault !== undefined || replaced) return fault
  return active(list).length < (isRecoverySigner(list, signer, time) ? 32 : 24) ? undefined : 'certificate-number'
}

function targetFault(list: VerifiedList, { number, signer }: ListEntry, { revoked, since }: Revocation): string | undefined {
  const held = list.certificates.get(revoked)
  const identityEnds = revoked === 1 && signer === 1
  if (!identityEnds && (!held || held.end)) return 'revocation-target'
  return since >= number ? 'revocation-target' : undefined
}

function revoke(list: GrowingList, { time }: ListEntry, { revoked, since }: Revocation): void {
  if (revoked === 1) list.identityKey = undefined
  const issuers = withReplaced(list, revoked)
  for (const one of active(list)) {
    const goesAlong = since !== 0 && hangsFrom(list, one, issuers, since)
    if (one.number === revoked || goesAlong) list.certificates.set(one.number, { ...one, end: { by: 'revocation', time } })
  }
}

function certify(list: GrowingList, { number, signer, time }: ListEntry, certificate: Certificate, replaced: Held | undefined): void {
  const fault = faultOfKeys(list, certificate, replaced)
  if (fault !== undefined) throw broken(list.user, fault)
  if (replaced) list.certificates.set(replaced.number, { ...replaced, end: { by: 'replacement', time } })
  list.certificates.set(number, { ...certificate, number, signer, certifiedAt: time })
  for (const key of certificate.keys) list.holders.set(spelling(key) ?? '', number)
}

/** Whether it hangs from what the issuers certified since then. */
function hangsFrom({ certificates }: VerifiedList, held: Held, issuers: ReadonlySet<number>, since: number): boolean {
  for (let one: Held | undefined = held; one; one = certificates.get(one.signer))
    if (issuers.has(one.signer) && one.number >= since) return true
  return false
}

/** A certificate, and those of the same device that it and they replaced. */
function withReplaced({ certificates }: VerifiedList, number: number): Set<number> {
  const numbers = new Set([number])
  const held = certificates.get(number)
  for (
    let one = certificates.get(held?.signer ?? 0);
    one?.kind === 'device' && one.subject === held?.subject;
    one = certificates.get(one.signer)
  )
    numbers.add(one.number)
  return numbers
}

function replacedBy(list: VerifiedList, { kind, subject }: Certificate): Held | undefined {
  return kind === 'device' ? activeDevice(list, subject) : undefined
}
