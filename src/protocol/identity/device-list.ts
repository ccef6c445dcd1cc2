import { ALL_RIGHTS, type DeviceCertificate, type ListKey } from './entry.js'
import type { Signer } from './signatures.js'

/** A certificate in its list. */
export interface Certified extends DeviceCertificate {
  /** Of the entry. */
  readonly number: number
  readonly signer: number
  /** `time` of the entry. */
  readonly certifiedAt: bigint
  /** What ended it; undefined: active. */
  readonly end?: CertificateEnd | undefined
}

export interface CertificateEnd {
  readonly by: 'revocation' | 'replacement'
  /** Of the entry that ended it, and that entry's time. */
  readonly number: number
  readonly time: bigint
}

/** What the entries of a list say together. Values are never changed: `extendList` makes new ones. */
export interface DeviceList {
  /** User URI. */
  readonly user: string
  /** `hashOfEntry` of entry 1, 32 bytes. */
  readonly identity: Uint8Array
  /** undefined: revoked. */
  readonly identityKey: ListKey | undefined
  /** `hashOfEntry` of each entry. */
  readonly hashes: readonly Uint8Array[]
  /** `time` of the last entry. */
  readonly time: bigint
  /** By the number of their entry. */
  readonly certificates: ReadonlyMap<number, Certified>
  /** `spellingOf` each key that was ever in the list, with the number of the last certificate that has it. */
  readonly keys: ReadonlyMap<string, number>
}

/** Number of the last entry. */
export function lastNumber(list: DeviceList): number {
  return list.hashes.length
}

/** `hashOfEntry` of entry `number`; undefined if there is none. */
export function hashAt(list: DeviceList, number: number): Uint8Array | undefined {
  return list.hashes[number - 1]
}

/** Who may sign as entry `number` at a time: its first key. undefined: nobody may. @param grace seconds after the end of the certificate's time */
export function signerAt(list: DeviceList, number: number, time: bigint, grace = 0n): (Signer & { rights: number }) | undefined {
  if (number === 1) return list.identityKey && { key: list.identityKey, rights: ALL_RIGHTS }
  const certified = list.certificates.get(number)
  const [key] = certified?.keys ?? []
  if (certified === undefined || key === undefined || certified.end !== undefined) return undefined
  if (time < certified.notBefore || time > certified.notAfter + grace) return undefined
  return { key, rights: certified.rights, rpId: certified.kind === 'passkey' ? certified.subject : undefined }
}

/** How long a recovery key or a passkey that a device certified has to wait until it is a recovery signer: time to see it, and to end it. */
const RECOVERY_SIGNER_AGE = 7n * 86_400n

/**
 * Whether entry `number` is a recovery signer of docs/identity.md §2, for which a part of the list is kept: what a stolen device certifies is none
 * before its user has had time to end it. Whether it has ended is for the caller to ask. @param time of the entry that it signs
 */
export function isRecoverySigner(list: DeviceList, number: number, time: bigint): boolean {
  if (number === 1) return true
  const one = list.certificates.get(number)
  return one !== undefined && one.kind !== 'device' && (one.signer === 1 || time >= one.certifiedAt + RECOVERY_SIGNER_AGE)
}

/** Certificates that have not ended; whether they are valid by time is for the caller to ask. */
export function activeCertificates(list: DeviceList): Certified[] {
  return [...list.certificates.values()].filter(({ end }) => end === undefined)
}

/** The active certificate of a device. */
export function certificateOf(list: DeviceList, client: string): Certified | undefined {
  for (const one of list.certificates.values()) if (one.end === undefined && one.kind === 'device' && one.subject === client) return one
  return undefined
}

/** The numbers of a certificate and of those that its device has replaced by it, one after the other: all that one holder had. */
export function certificatesOfHolder(list: DeviceList, number: number): ReadonlySet<number> {
  const numbers = new Set([number])
  const last = list.certificates.get(number)
  const isFormer = (one: Certified | undefined) => one?.kind === 'device' && last?.kind === 'device' && one.subject === last.subject
  for (let one = last && list.certificates.get(last.signer); one !== undefined && isFormer(one); one = list.certificates.get(one.signer))
    numbers.add(one.number)
  return numbers
}

/** Whether a certificate hangs, by any number of signers, from one that `issuers` have signed in entry `since` or later. */
export function hangsFrom(list: DeviceList, number: number, issuers: ReadonlySet<number>, since: number): boolean {
  for (let at = list.certificates.get(number); at !== undefined; at = list.certificates.get(at.signer))
    if (issuers.has(at.signer) && at.number >= since) return true
  return false
}
