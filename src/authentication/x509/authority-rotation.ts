import { Inject, Injectable, type OnModuleInit } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Jobs } from '../../platform/jobs/jobs.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { sha256 } from '../../protocol/sha256.js'
import { x509AuthorityRotated } from '../authentication.events.js'
import {
  deleteAuthorities,
  deleteAuthoritiesPast,
  insertAuthority,
  lockAuthorities,
  readAuthorities,
  retireAuthorities,
  type NewStoredAuthority,
} from './authorities.repository.js'
import { makeAuthority } from './issuing.js'

export const AUTHORITY_PURPOSE = 'x509 authority v1'
/** More do not fit the directory of peers. */
export const MAX_PUBLISHED = 4

const HOUR_MS = 3_600_000
/** Peers go by a copy of the directory for an hour. */
const LEAD_MS = HOUR_MS
/** Two years before it ends by itself. */
const ROTATE_AFTER_MS = 365 * 24 * HOUR_MS

async function newAuthority(domain: string, secrets: Secrets): Promise<NewStoredAuthority> {
  const { certificate, privateKey } = await makeAuthority(domain, new Date())
  const sealedPrivate = secrets.seal(AUTHORITY_PURPOSE, privateKey.export({ type: 'pkcs8', format: 'der' }))
  return { fingerprint: sha256(certificate), certificate, sealedPrivate }
}

/** The first authority, unless another node has made it. */
export async function makeFirstAuthority(pool: Pool, domain: string, secrets: Secrets): Promise<void> {
  const authority = await newAuthority(domain, secrets)
  await transaction(pool, async (sql) => {
    await lockAuthorities(sql)
    // Not before the lock: another node may have been first.
    const stored = await readAuthorities(sql)
    if (!stored.some(({ signs }) => signs)) await insertAuthority(sql, authority, 0)
  })
}

/**
 * A new authority, published at once, that issues in an hour. The old one stays published until the last certificate that it has issued is over.
 * @param unlessYoungerMs do nothing if the newest one is younger
 * @returns `waiting`: a rotation is under way, or as many are published as there may be
 */
export async function rotateAuthority(
  pool: Pool,
  domain: string,
  secrets: Secrets,
  unlessYoungerMs = 0,
): Promise<'rotated' | 'waiting' | 'young'> {
  const authority = await newAuthority(domain, secrets)
  return transaction(pool, async (sql) => {
    await lockAuthorities(sql)
    const stored = await readAuthorities(sql)
    const newest = Math.max(0, ...stored.map(({ signsFrom, sealedPrivate }) => (sealedPrivate === null ? 0 : signsFrom.getTime())))
    if (stored.length >= MAX_PUBLISHED || newest > Date.now()) return 'waiting'
    if (newest > Date.now() - unlessYoungerMs) return 'young'
    const leadMs = stored.some(({ signs }) => signs) ? LEAD_MS : 0
    await retireAuthorities(sql, leadMs)
    await insertAuthority(sql, authority, leadMs)
    return 'rotated'
  })
}

/** After a compromise: what was issued so far is refused from now on, within seconds here, and at peers within the hour. */
export async function replaceAuthoritiesNow(pool: Pool, domain: string, secrets: Secrets): Promise<void> {
  const authority = await newAuthority(domain, secrets)
  await transaction(pool, async (sql) => {
    await lockAuthorities(sql)
    await deleteAuthorities(sql)
    await insertAuthority(sql, authority, 0)
  })
}

/** Makes a new authority once a year, long before the old one ends. */
@Injectable()
export class AuthorityRotation implements OnModuleInit {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'X509_CREDENTIALS' | 'X509_CA_CERTIFICATE'>,
    private readonly secrets: Secrets,
    private readonly jobs: Jobs,
    private readonly events: Events,
  ) {}

  onModuleInit(): void {
    this.jobs.every('x509-authority.rotate_v1', HOUR_MS, () => this.run())
  }

  /** A server without any makes its first one when somebody first asks for a certificate, not here. */
  async run(): Promise<void> {
    await deleteAuthoritiesPast(this.pool)
    if (this.config.X509_CREDENTIALS === 'off' || this.config.X509_CA_CERTIFICATE !== undefined) return
    if (!(await readAuthorities(this.pool)).some(({ sealedPrivate }) => sealedPrivate !== null)) return
    const outcome = await rotateAuthority(this.pool, this.config.DOMAIN, this.secrets, ROTATE_AFTER_MS)
    if (outcome === 'rotated') x509AuthorityRotated(this.events)
  }
}
