import { sha256 } from '../wire.js'
import { POSSESSION_LABEL } from './certificate-rules.js'
import { signLabelled, spelling, type SigningKey } from './keys.js'
import { active, DAY, ENTRY_LABEL, HEAD_LABEL, type VerifiedList, hashAt, numberOf } from './list.js'
import {
  encodeEntryContent,
  encodeHeadContent,
  possessionContent,
  withSignature,
  type Certificate,
  type CertifiedKey,
  type EntryBody,
} from './structures.js'

/** Where a list stands: what the next entry or head needs to know of it. */
export interface ListEnd {
  user: string
  number: number
  hash: Uint8Array
  /** Of the last entry. */
  time: bigint
}

export function endOf(list: VerifiedList): ListEnd {
  const number = numberOf(list)
  return { user: list.user, number, hash: hashAt(list, number), time: list.entries.at(-1)?.time ?? 0n }
}

/** Who signs: a key, and the number of the entry that has it. */
export interface Author {
  number: number
  key: SigningKey
}

/** Who signs with a key of no device. */
export function holderWith(list: VerifiedList, key: SigningKey): Author {
  const held = active(list).find(({ kind, keys: [first] }) => kind !== 'device' && first && spelling(first) === spelling(key))
  if (!held) throw new Error('This is no recovery key and no passkey of this user')
  return { number: held.number, key }
}

export interface MadeEntry {
  bytes: Uint8Array
  end: ListEnd
}

/** Entry 1, signed by the identity key. */
export function beginList(user: string, key: SigningKey, now: bigint): Promise<MadeEntry> {
  const identityKey = { scheme: key.scheme, publicKey: key.publicKey }
  const nothing = { user, number: 0, hash: new Uint8Array(), time: 0n }
  return makeEntry(nothing, { number: 1, key }, { type: 'identity', identityKey }, now)
}

/** The next entry. Its time is not before that of the last one, whatever the clock says. */
export async function makeEntry(end: ListEnd, by: Author, body: EntryBody, now: bigint): Promise<MadeEntry> {
  const [user, number, time] = [end.user, end.number + 1, now > end.time ? now : end.time]
  const content = encodeEntryContent({ user, number, previous: end.hash, time, signer: by.number, body })
  const bytes = withSignature(content, await signLabelled(by.key, ENTRY_LABEL, content))
  return { bytes, end: { user, number, hash: sha256(content), time } }
}

/** @param since the one before was issued then: this one is issued later */
export async function makeHead(end: ListEnd, by: Author, now: bigint, since = 0n): Promise<Uint8Array> {
  const issuedAt = [now, end.time, since].reduce((one, other) => (one > other ? one : other))
  const { user, number, hash } = end
  const content = encodeHeadContent({ user, number, hash, issuedAt, expiresAt: issuedAt + 30n * DAY, signer: by.number })
  return withSignature(content, await signLabelled(by.key, HEAD_LABEL, content))
}

/** What a holder gives to the one who certifies it: its keys, each with its own signature that it holds them for this identity. */
export async function possessed(
  identity: Uint8Array,
  holder: Pick<Certificate, 'kind' | 'subject'>,
  keys: readonly SigningKey[],
): Promise<CertifiedKey[]> {
  const content = possessionContent(identity, holder)
  return Promise.all(
    keys.map(async (key) => {
      const possession = await signLabelled(key, POSSESSION_LABEL, content)
      return { scheme: key.scheme, publicKey: key.publicKey, possession }
    }),
  )
}

export type Holder = Pick<Certificate, 'kind' | 'subject' | 'rights'>

/** What an entry says that certifies a holder from now on. */
export function certificateOf({ kind, subject, rights }: Holder, keys: readonly CertifiedKey[], now: bigint): EntryBody {
  return { type: 'certificate', certificate: { kind, subject, rights, keys, ...validity(kind, now) } }
}

/** From an hour ago, for clocks that disagree: a year for a device, ten for what lies in a drawer. */
export function validity(kind: Certificate['kind'], now: bigint): Pick<Certificate, 'notBefore' | 'notAfter'> {
  return { notBefore: now - 3600n, notAfter: now + (kind === 'device' ? 365n : 3650n) * DAY }
}
