import type { Certified, DeviceList } from '../../../protocol/identity/device-list.js'
import { RIGHTS } from '../../../protocol/identity/entry.js'

/**
 * Who of the holders of a list has a say over what others of it do (docs/identity.md §7). A device that renews its certificate stays the
 * holder that it was: a holder is named by the number of its first certificate.
 */
export class Seniority {
  /**
   * @param ages when the server took each certificate, by its number; one that is missing is new
   * @param before what was taken later is too young for a say
   * @param now seconds since 1970
   */
  constructor(
    private readonly list: DeviceList,
    private readonly ages: ReadonlyMap<number, Date>,
    private readonly before: Date,
    private readonly now: bigint,
  ) {}

  /** The first certificate of the holder of this one. */
  holderOf(number: number): number {
    const issuer = this.list.certificates.get(this.list.certificates.get(number)?.signer ?? 0)
    return issuer?.end?.by === 'replacement' && issuer.end.number === number ? this.holderOf(issuer.number) : number
  }

  isYoung(number: number): boolean {
    const taken = this.ages.get(this.holderOf(number))
    return taken === undefined || taken > this.before
  }

  /** Whether an active certificate counts: it is valid by time, and not young. */
  counts({ number, end, notBefore, notAfter }: Certified): boolean {
    return end === undefined && notBefore <= this.now && this.now <= notAfter && !this.isYoung(number)
  }

  /** Whether an active certificate is one of those that keep an account from having a single device in charge. */
  isInCharge(certificate: Certified): boolean {
    return certificate.kind === 'device' && (certificate.rights & RIGHTS.revoke) !== 0 && this.counts(certificate)
  }

  /** Who is behind a device: a young one acts for the device that has enrolled it. */
  principalOf(number: number): number {
    const enrolledBy = this.enrolledBy(number)
    return this.isYoung(number) && enrolledBy !== undefined ? this.principalOf(enrolledBy) : this.holderOf(number)
  }

  /** Whether a device is this holder, or was enrolled by it, also by others in between. Recovery keys and passkeys stand for themselves once they are not young. */
  isOfFamily(number: number, principal: number): boolean {
    const holder = this.holderOf(number)
    const enrolledBy = this.enrolledBy(holder)
    return holder === principal || (enrolledBy !== undefined && this.isOfFamily(enrolledBy, principal))
  }

  /** Whether a device was there before another one, was not enrolled by it, and counts. */
  isOlder(certificate: Certified, than: number): boolean {
    const other = this.holderOf(than)
    return (
      this.counts(certificate) && this.holderOf(certificate.number) < other && !this.isOfFamily(certificate.number, this.principalOf(than))
    )
  }

  /**
   * The device that has enrolled this one; undefined for what the identity key has certified, or a recovery key or passkey that is not young. A young
   * one may be what a stolen device has certified to stand behind.
   */
  private enrolledBy(number: number): number | undefined {
    const signer = this.list.certificates.get(this.list.certificates.get(this.holderOf(number))?.signer ?? 0)
    if (signer === undefined || signer.kind === 'device') return signer && this.holderOf(signer.number)
    return this.isYoung(signer.number) ? this.enrolledBy(signer.number) : undefined
  }
}
