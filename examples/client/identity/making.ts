import { sha256 } from '../wire.js'
import { POSSESSION_LABEL } from './certificate-rules.js'
import { signLabelled, type SigningKey } from './keys.js'
import { DAY, ENTRY_LABEL, HEAD_LABEL } from './list.js'
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

/** Who signs: a key, and the number of the entry that has it. */
export interface Author {
  number: number
  key: SigningKey
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

/** From an hour ago, for clocks that disagree: a year for a device, ten for what lies in a drawer. */
export function validity(kind: Certificate['kind'], now: bigint): Pick<Certificate, 'notBefore' | 'notAfter'> {
  return { notBefore: now - 3600n, notAfter: now + (kind === 'device' ? 365n : 3650n) * DAY }
}
