import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound, Unavailable } from '../../platform/http/problem.js'
import type { DescribedLimit } from '../../platform/limits/described-limit.js'
import { Limits } from '../../platform/limits/limits.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { importSignatureKey } from '../../protocol/mls/signature.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { x509Issued } from '../authentication.events.js'
import type { Caller } from '../session/caller.js'
import { Authorities, type IssuingAuthority } from './authorities.js'
import { issuableKey, type IssuableKey } from './authorities.repository.js'
import { issueCertificate } from './issuing.js'
import type { IssueX509, X509Credential } from './x509.dto.js'
import { KeyUncertified } from './x509.problems.js'

const TOO_MANY = '429 with Retry-After'
/** Rows of docs/limits.md. */
export const X509_LIMITS = {
  issued: { name: 'device-certificates', holder: 'device', what: 'X.509 certificates per hour', value: 60, refusal: TOO_MANY },
  elsewhere: {
    name: 'certificate-authorities-elsewhere',
    holder: 'account',
    what: 'look-ups of X.509 authorities of other providers per minute',
    value: 120,
    refusal: TOO_MANY,
  },
} as const satisfies Record<string, DescribedLimit>

/** One that ends sooner is of no use. */
const SHORTEST_MS = 600_000

/** Certificates of devices by this provider's authority. */
@Injectable()
export class CertificateIssuance {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'X509_CREDENTIALS' | 'X509_LIFETIME'>,
    private readonly authorities: Authorities,
    private readonly limits: Limits,
    private readonly events: Events,
  ) {}

  /**
   * For an active key of the caller's device; of an account with a device list, one that its list certifies for the device now.
   * @throws NotFound, KeyUncertified, RateLimited, Unavailable while the authority is over
   */
  async issue({ client, deviceId }: Caller, { public_key: given }: IssueX509): Promise<X509Credential> {
    if (this.config.X509_CREDENTIALS === 'off') throw new NotFound('This server issues no X.509 credentials.')
    await this.limits.take({ name: X509_LIMITS.issued.name, points: X509_LIMITS.issued.value, seconds: 3_600 }, client)
    const key = canonicalKey(given)
    const publicKey = key && importSignatureKey(key.scheme, key.publicKey)
    const known = key && (await issuableKey(this.pool, deviceId, key.publicKey))
    if (!publicKey || known?.client !== client) throw new NotFound('This device has no such active key.')
    if (known.listed && known.certifiedUntil === null) throw new KeyUncertified()
    const now = new Date()
    const { authority, notAfter } = await this.authorityFor(known, now)
    const certificate = await issueCertificate(authority, client, publicKey, { now, notAfter })
    x509Issued(this.events)
    return { certificates: [certificate, ...authority.between], not_before: now, not_after: notAfter }
  }

  /** Noted before it issues. One that this node knew may have been withdrawn a moment ago: then there is another. */
  private async authorityFor(key: IssuableKey, now: Date): Promise<{ authority: IssuingAuthority; notAfter: Date }> {
    for (let attempts = 0; attempts < 2; attempts++) {
      const authority = await this.authorities.issuing()
      const notAfter = this.endOf(authority, key, now)
      if (await this.authorities.note(authority, notAfter)) return { authority, notAfter }
    }
    throw new Unavailable()
  }

  /** Not after what stands above it, nor after the device's certificate of its own list. */
  private endOf({ notAfter }: IssuingAuthority, { certifiedUntil }: IssuableKey, now: Date): Date {
    const ends = [now.getTime() + this.config.X509_LIFETIME, notAfter.getTime(), ...(certifiedUntil ? [certifiedUntil.getTime()] : [])]
    const end = Math.floor(Math.min(...ends) / 1000) * 1000
    if (end < now.getTime() + SHORTEST_MS) throw new Unavailable('What this certificate would hang from is about to end.')
    return new Date(end)
  }
}
