import type { Pool } from 'pg'
import type { FederationLink } from '../home/federation-link.js'
import type { Config } from '../../platform/config/config.js'
import { DirectoryMembership } from './directory-membership.js'
import type { Membership } from './membership.js'
import { UncheckedMembership } from './unchecked-membership.js'

export function createMembership(
  pool: Pool,
  config: Pick<Config, 'CONFORMANCE' | 'DOMAIN' | 'KEY_PACKAGE_MAX_LIFETIME' | 'KEY_PACKAGE_MAX_AGE'>,
  link: FederationLink,
): Membership {
  return config.CONFORMANCE === 'on' ? new UncheckedMembership() : new DirectoryMembership(pool, config, link)
}
