import { ED25519, isKnownScheme, P256, spelling, verifyLabelled } from './keys.js'
import { broken } from './refused.js'
import {
  decodeEntry,
  decodeHead,
  hashOf,
  possessionContent,
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
export const POSSESSION_LABEL = 'MicroChat Key Possession'
export const DAY = 86_400n

/** A certificate in its list. */
export interface Held extends Certificate {
  number: number
  signer: number
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
  let list = known
  for (const bytes of entries) {
    const entry = orRule(user, 'entry-encoding', () => decodeEntry(bytes))
    if (entry.user !== user) throw broken(user, 'entry-user')
    if (entry.time > now + DAY) throw broken(user, 'entry-time')
    list = list ? appended(list, entry) : begun(entry)
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

function begun(entry: ListEntry): VerifiedList {
  const { user, body } = entry
  const refuse = (rule: string) => broken(user, rule)
  if (!USER.test(user)) throw refuse('entry-user')
  if (entry.number !== 1) throw refuse('entry-number')
  if (body.type !== 'identity' || entry.signer !== 1) throw refuse('entry-first')
  if (entry.previous.length > 0) throw refuse('entry-previous')
  const { identityKey } = body
  const written = spelling(identityKey)
  if (written === undefined || !SIGNING.includes(identityKey.scheme)) throw refuse('identity-key')
  if (!verifyLabelled(identityKey, undefined, ENTRY_LABEL, entry.signed, entry.signature)) throw refuse('entry-signature')
  return { user, identity: hashOf(entry), identityKey, entries: [entry], certificates: new Map(), holders: new Map([[written, 1]]) }
}

function appended(list: VerifiedList, entry: ListEntry): VerifiedList {
  const refuse = (rule: string) => broken(list.user, rule)
  const { body, number, time } = entry
  if (number !== numberOf(list) + 1 || number > (body.type === 'revocation' ? 1024 : 896)) throw refuse('entry-number')
  if (!same(entry.previous, hashAt(list, number - 1))) throw refuse('entry-previous')
  if (time < (list.entries.at(-1)?.time ?? 0n)) throw refuse('entry-time')
  if (body.type === 'identity') throw refuse('entry-first')
  const replaced = body.type === 'certificate' ? replacedBy(list, body.certificate) : undefined
  const renewsItself = replaced?.number === entry.signer
  const signer = signerAt(list, entry.signer, time, renewsItself ? 90n * DAY : 0n)
  if (!signer) throw refuse('entry-signer')
  const next = body.type === 'certificate' ? certified(list, entry, body.certificate, replaced) : revoked(list, entry, body.revocation)
  const itself = body.type === 'revocation' ? body.revocation.revoked === entry.signer : renewsItself
  if (!itself && !(signer.rights & (body.type === 'certificate' ? RIGHTS.enrol : RIGHTS.revoke))) throw refuse('entry-right')
  if (!verifyLabelled(signer.key, signer.rpId, ENTRY_LABEL, entry.signed, entry.signature)) throw refuse('entry-signature')
  return { ...list, ...next, entries: [...list.entries, entry] }
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

function revoked(list: VerifiedList, { number, signer, time }: ListEntry, { revoked: target, since }: Revocation) {
  const held = list.certificates.get(target)
  const identityEnds = target === 1 && signer === 1
  if (!identityEnds && (!held || held.end)) throw broken(list.user, 'revocation-target')
  if (since !== 0 && (since <= target || since >= number)) throw broken(list.user, 'revocation-target')
  const certificates = new Map(list.certificates)
  for (const one of active(list)) {
    const descends = since !== 0 && one.number >= since && descendsFrom(list, one, target)
    if (one.number === target || descends) certificates.set(one.number, { ...one, end: { by: 'revocation', time } })
  }
  return { certificates, ...(identityEnds ? { identityKey: undefined } : {}) }
}

function descendsFrom({ certificates }: VerifiedList, { signer }: Held, ancestor: number): boolean {
  const issuer = certificates.get(signer)
  return signer === ancestor || (issuer !== undefined && descendsFrom({ certificates } as VerifiedList, issuer, ancestor))
}

function replacedBy(list: VerifiedList, { kind, subject }: Certificate): Held | undefined {
  return kind === 'device' ? activeDevice(list, subject) : undefined
}

function certified(list: VerifiedList, { number, signer, time }: ListEntry, certificate: Certificate, replaced: Held | undefined) {
  const refuse = (rule: string) => broken(list.user, rule)
  const { kind, rights, notBefore, notAfter } = certificate
  if (!mayBeSubject(list, certificate, replaced)) throw refuse('certificate-subject')
  if (replaced && (replaced.number !== signer || rights & ~replaced.rights)) throw refuse('certificate-replaced')
  if (rights & ~rightsToGive(list, signer, kind)) throw refuse('certificate-rights')
  if (notBefore >= notAfter || notAfter - notBefore > (kind === 'device' ? 400n : 4000n) * DAY) throw refuse('certificate-validity')
  const holders = withKeys(list, certificate, number, replaced)
  if (!holders) throw refuse('certificate-keys')
  if (!isPossessed(list, certificate)) throw refuse('certificate-possession')
  const certificates = new Map(list.certificates)
  if (replaced) certificates.set(replaced.number, { ...replaced, end: { by: 'replacement', time } })
  certificates.set(number, { ...certificate, number, signer })
  if (active({ certificates }).length > 32) throw refuse('certificate-number')
  return { certificates, holders }
}

function mayBeSubject(list: VerifiedList, { kind, subject }: Certificate, replaced: Held | undefined): boolean {
  if (kind === 'recovery-key') return subject === ''
  if (kind === 'passkey') return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/u.test(subject)
  const known = [...list.certificates.values()].some((one) => one.kind === 'device' && one.subject === subject)
  return userOfClient(subject) === list.user && (!known || replaced !== undefined)
}

/** A recovery key or a passkey can make a device like the one that was lost. */
function rightsToGive({ certificates }: VerifiedList, signer: number, kind: Certificate['kind']): number {
  const issuer = certificates.get(signer)
  const own = issuer?.kind === 'device' ? issuer.rights : RIGHTS.all
  return kind === 'device' ? own : own & RIGHTS.enrol
}

const SIGNING: readonly number[] = [ED25519, P256]

/** The holders with these keys; undefined if one may not be used: a key stays with the device that has it, and goes with its certificate. */
function withKeys(list: VerifiedList, { kind, keys }: Certificate, number: number, replaced: Held | undefined) {
  const [first] = keys
  if (!first || !SIGNING.includes(first.scheme) || (kind !== 'device' && keys.length > 1)) return undefined
  const holders = new Map(list.holders)
  for (const key of keys) {
    const written = spelling(key)
    const holder = written === undefined ? undefined : holders.get(written)
    if (written === undefined || (holder !== undefined && holder !== replaced?.number)) return undefined
    holders.set(written, number)
  }
  return holders
}

/** What this client cannot check it leaves aside: such a key serves no leaf here. */
function isPossessed({ identity }: VerifiedList, certificate: Certificate): boolean {
  const content = possessionContent(identity, certificate)
  const rpId = certificate.kind === 'passkey' ? certificate.subject : undefined
  return certificate.keys.every((key) => !isKnownScheme(key.scheme) || verifyLabelled(key, rpId, POSSESSION_LABEL, content, key.possession))
}

const DOMAIN = '[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?'
const NAME = '[a-z0-9][a-z0-9._-]{0,63}'
const USER = new RegExp(`^mimi://${DOMAIN}/u/${NAME}$`, 'u')
const CLIENT = new RegExp(`^mimi://(${DOMAIN})/d/(${NAME})/[A-Za-z0-9_-]{1,64}$`, 'u')

/** `mimi://<domain>/d/<user>/<device>` → `mimi://<domain>/u/<user>`; undefined for what is no client URI */
export function userOfClient(client: string): string | undefined {
  const [, domain, user] = CLIENT.exec(client) ?? []
  return domain === undefined || user === undefined ? undefined : `mimi://${domain}/u/${user}`
}
