import { activeCertificates, type Certified, type DeviceList } from '../../../protocol/identity/device-list.js'
import type { DeviceListEntry } from '../../../protocol/identity/entry.js'
import { RIGHTS } from '../../../protocol/identity/entry.js'
import type { Seniority } from './seniority.js'

/** A change, by what it makes of a list. */
export interface JudgedChange {
  readonly after: DeviceList
  readonly entries: readonly DeviceListEntry[]
  /** Of `after`. */
  readonly seniority: Seniority
}

/** A device that ends certificates of others by one entry. */
interface Ending {
  readonly signer: Certified
  /** Those that count. */
  readonly ended: readonly Certified[]
}

/**
 * Which devices have signed what has to wait: the end of a recovery key or passkey, or of all others that may revoke (docs/identity.md §7).
 * @param pending signers of the change that waits already: a device that is older than one of them may end it at once
 * @returns who they are, by numbers of certificates that the list before has, as those decide who have a say: a device that renews itself in the change
 * is its first certificate, and one that the change enrols is who has enrolled it. None: the change holds at once
 */
export function signersThatWait(change: JudgedChange, pending: readonly number[] = []): number[] {
  const { after, entries, seniority } = change
  const begins = entries[0]?.number ?? 0
  const charge = activeCertificates(after).filter((one) => seniority.isInCharge(one))
  const waiting = endingsOf(change).filter(({ signer, ended }) => {
    const excused = ({ number }: Certified) =>
      pending.some((one) => seniority.holderOf(one) === seniority.holderOf(number) && seniority.isOlder(signer, one))
    if (ended.some(({ kind }) => kind !== 'device')) return true
    const principal = seniority.principalOf(signer.number)
    return ended.some((one) => !excused(one)) && charge.every(({ number }) => seniority.isOfFamily(number, principal))
  })
  const known = ({ number }: Certified) =>
    seniority.holderOf(number) < begins ? seniority.holderOf(number) : seniority.principalOf(number)
  return [...new Set(waiting.map(({ signer }) => known(signer)))]
}

/** Whether a change that need not wait may take the place of one that waits: keys that are of no device have signed all of it, or it ends a signer of that. */
export function mayReplace({ after, entries, seniority }: JudgedChange, pending: readonly number[]): boolean {
  const byKeys = entries.every(({ signer }) => {
    const certificate = after.certificates.get(signer)
    return signer === 1 || (certificate !== undefined && certificate.kind !== 'device' && !seniority.isYoung(signer))
  })
  const ended = new Set(
    [...after.certificates.values()].filter(({ end }) => end?.by === 'revocation').map(({ number }) => seniority.holderOf(number)),
  )
  return byKeys || pending.some((signer) => ended.has(seniority.holderOf(signer)))
}

/** Whether a key has a say over a change that waits. @param voter number of its entry; 1 is the identity key */
export function mayDecide(list: DeviceList, seniority: Seniority, voter: number, signers: readonly number[]): boolean {
  if (voter === 1) return list.identityKey !== undefined
  const certificate = list.certificates.get(voter)
  if (certificate === undefined || !seniority.counts(certificate)) return false
  return certificate.kind !== 'device' || signers.every((signer) => !seniority.isOfFamily(voter, seniority.principalOf(signer)))
}

/** The same for an approval, for which a device needs the right to revoke. */
export function mayApprove(list: DeviceList, seniority: Seniority, voter: number, signers: readonly number[]): boolean {
  const certificate = list.certificates.get(voter)
  if (certificate?.kind === 'device' && (certificate.rights & RIGHTS.revoke) === 0) return false
  return mayDecide(list, seniority, voter, signers)
}

/** The same for a refusal, which is also for who has signed the change. */
export function mayRefuse(list: DeviceList, seniority: Seniority, voter: number, signers: readonly number[]): boolean {
  const own = seniority.holderOf(voter)
  return signers.some((signer) => seniority.holderOf(signer) === own) || mayDecide(list, seniority, voter, signers)
}

/** Entries of devices that end what counts, but for themselves. */
function endingsOf({ after, entries, seniority }: JudgedChange): Ending[] {
  const ends = [...after.certificates.values()].filter(({ end }) => end?.by === 'revocation')
  return entries.flatMap(({ number, signer: by }) => {
    const signer = after.certificates.get(by)
    if (signer?.kind !== 'device') return []
    const ended = ends.filter(
      (one) => one.end?.number === number && isProtected(seniority, one) && seniority.holderOf(one.number) !== seniority.holderOf(by),
    )
    return ended.length === 0 ? [] : [{ signer, ended }]
  })
}

/** As it was before it ended. */
function isProtected(seniority: Seniority, certificate: Certified): boolean {
  const before = { ...certificate, end: undefined }
  return certificate.kind === 'device' ? seniority.isInCharge(before) : seniority.counts(before)
}
