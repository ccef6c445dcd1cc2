import { createPrivateKey } from 'node:crypto'
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { POOL } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { sameBytes } from '../../protocol/bytes.js'
import { sha256 } from '../../protocol/sha256.js'
import { decodeCertificate } from '../../protocol/x509/certificate.js'
import { noteIssued, noteOperatorIssued, readAuthorities, type StoredAuthority } from './authorities.repository.js'
import { AUTHORITY_PURPOSE, makeFirstAuthority, MAX_PUBLISHED } from './authority-rotation.js'
import type { Issuer } from './issuing.js'
import { readOperatorAuthority, requireUsable, type OperatorAuthority } from './operator-authority.js'

/** Far shorter than the lead that a new authority is published with before it issues. */
const MAX_AGE_MS = 15_000
const HOUR_MS = 3_600_000

/** The authority that issues now. */
export interface IssuingAuthority extends Issuer {
  /** What follows the device's certificate in a credential: all between it and the one that is published. */
  readonly between: readonly Uint8Array[]
  /** When the first certificate of it and above it ends. */
  readonly notAfter: Date
}

interface Loaded {
  readonly at: number
  readonly published: readonly Uint8Array[]
  readonly stored: readonly StoredAuthority[]
}

/** The X.509 authorities of this provider; all nodes share them by the database, but for the operator's own. */
@Injectable()
export class Authorities implements OnModuleInit {
  private readonly operator: OperatorAuthority | undefined
  private loaded: Loaded | undefined
  private loading: Promise<Loaded> | undefined
  private making: Promise<void> | undefined
  /** Up to when the certificates of the operator's authority were noted, ms since 1970. */
  private noted = 0

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'X509_CREDENTIALS' | 'X509_CA_CERTIFICATE' | 'X509_CA_KEY'>,
    private readonly secrets: Secrets,
    metrics: Metrics,
  ) {
    this.operator = config.X509_CREDENTIALS === 'on' ? readOperatorAuthority(config) : undefined
    metrics.gauge('x509_authority_expiry_seconds', 'Time until the first of the X.509 authorities that were last read ends', () =>
      this.loaded && this.loaded.published.length > 0 ? (endOf(this.loaded.published).getTime() - Date.now()) / 1000 : undefined,
    )
  }

  async onModuleInit(): Promise<void> {
    if (this.operator) await requireUsable(this.operator, this.config.DOMAIN)
  }

  /**
   * Certificates that vouch for this domain, in DER; none until one was asked for, or with X509_CREDENTIALS=off.
   * @param fresh reads them again: another node may have made one a moment ago. For sessions only, whose requests are counted
   */
  async published(fresh = false): Promise<readonly Uint8Array[]> {
    if (this.config.X509_CREDENTIALS === 'off') return []
    return (await this.youngerThan(fresh ? 0 : MAX_AGE_MS)).published
  }

  /** Who issues now. The first node that needs one makes it. */
  async issuing(): Promise<IssuingAuthority> {
    if (this.operator) return issuingBy(this.operator)
    const found = await this.signing()
    if (found) return found
    await (this.making ??= this.makeFirst())
    const made = await this.signing()
    if (!made) throw new Error('No X.509 authority issues, although one was just made')
    return made
  }

  /** Before a certificate is handed out: its authority stays published until it is over. @returns false: that one may not issue any more */
  async note({ certificate }: IssuingAuthority, until: Date): Promise<boolean> {
    const fingerprint = sha256(certificate)
    // To the hour: of the operator's most certificates need no write. Whether an authority of the server's own was withdrawn is asked each time.
    const hour = Math.ceil(until.getTime() / HOUR_MS) * HOUR_MS
    if (!this.operator) {
      const may = await noteIssued(this.pool, fingerprint, new Date(hour))
      if (!may) this.forget()
      return may
    }
    if (this.noted >= hour) return true
    await noteOperatorIssued(this.pool, fingerprint, this.operator.chain.at(-1) ?? certificate, new Date(hour))
    this.noted = Math.max(this.noted, hour)
    return true
  }

  private async signing(): Promise<IssuingAuthority | undefined> {
    const { stored } = await this.youngerThan(MAX_AGE_MS)
    const found = stored.find(({ signs, sealedPrivate }) => signs && sealedPrivate !== null)
    if (!found?.sealedPrivate) return undefined
    const certificate = new Uint8Array(found.certificate)
    return { certificate, privateKey: this.unseal(found.sealedPrivate), between: [], notAfter: endOf([certificate]) }
  }

  private async makeFirst(): Promise<void> {
    try {
      await makeFirstAuthority(this.pool, this.config.DOMAIN, this.secrets)
    } finally {
      this.forget()
      this.making = undefined
    }
  }

  private forget(): void {
    this.loaded = undefined
    this.loading = undefined
  }

  private async youngerThan(ms: number): Promise<Loaded> {
    if (this.loaded !== undefined && performance.now() - this.loaded.at < ms) return this.loaded
    const loading = (this.loading ??= this.load())
    try {
      const loaded = await loading
      if (this.loading === loading) this.loaded = loaded
      return loaded
    } finally {
      if (this.loading === loading) this.loading = undefined
    }
  }

  private async load(): Promise<Loaded> {
    const at = performance.now()
    const stored = await readAuthorities(this.pool)
    const own = this.operator?.chain.at(-1)
    // With the operator's authority the server's own issue nothing, and go when the last of what they have issued is over.
    const needed = own ? stored.filter(({ issuedUntil }) => issuedUntil !== null && issuedUntil.getTime() > Date.now()) : stored
    const others = needed.map(({ certificate }) => new Uint8Array(certificate))
    const published = (own ? [own, ...others] : others).filter(
      (one, index, all) => all.findIndex((other) => sameBytes(one, other)) === index,
    )
    return { at, stored, published: published.slice(0, MAX_PUBLISHED) }
  }

  private unseal(sealed: Buffer) {
    try {
      return createPrivateKey({ key: Buffer.from(this.secrets.open(AUTHORITY_PURPOSE, sealed)), format: 'der', type: 'pkcs8' })
    } catch (cause) {
      throw new Error('SERVER_SECRET does not open the key of the X.509 authority: was it changed?', { cause })
    }
  }
}

function issuingBy({ chain, privateKey }: OperatorAuthority): IssuingAuthority {
  return { certificate: chain[0] ?? new Uint8Array(), privateKey, between: chain.slice(0, -1), notAfter: endOf(chain) }
}

/** When the first of these certificates ends. */
export function endOf(certificates: readonly Uint8Array[]): Date {
  const ends = certificates.map((one) => {
    const decoded = decodeCertificate(one)
    return decoded.kind === 'decoded' ? Number(decoded.value.notAfter) * 1000 : 0
  })
  return new Date(Math.min(...ends))
}
