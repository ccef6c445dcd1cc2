import type { Pool } from 'pg'
import type { X509Credentials } from '../../authentication/x509/x509-credentials.js'
import type { Config } from '../../platform/config/config.js'
import type { Welcome } from '../../protocol/mls/structures/welcome.js'
import type { FederationLink } from '../home/federation-link.js'
import type { Bundle } from '../input/bundle.js'
import { DirectoryMembership } from './directory-membership.js'
import type { DeviceChanges, Membership } from './membership.js'

/**
 * For the official test vectors (CONFORMANCE=on): their members are no devices of the directory, their KeyPackages have expired, and
 * their Commits come without Welcomes. Everything that RFC 9420 says of leaves holds nevertheless. No device comes or goes, so
 * the creator of the group keeps reading and submitting.
 */
export class UncheckedMembership implements Membership {
  async requireOwnLeaf(): Promise<void> {
    // Every leaf is everybody's.
  }

  welcomesOf({ welcomes }: Pick<Bundle, 'welcomes'>): readonly Welcome[] | undefined {
    return welcomes.length > 0 ? welcomes.map(({ value }) => value) : undefined
  }

  lifetimes(): undefined {
    return undefined
  }

  async credentialFaults(): ReturnType<Membership['credentialFaults']> {
    return new Map()
  }

  async changesOf(): Promise<DeviceChanges> {
    return { added: [], removed: [], welcomes: [], certificates: [] }
  }

  /** Any member may propose anything. */
  async authorizeProposal(): Promise<undefined> {
    return undefined
  }
}

/** The directory's rules, but for CONFORMANCE=on. */
export function createMembership(
  pool: Pool,
  config: Pick<Config, 'CONFORMANCE' | 'DOMAIN' | 'KEY_PACKAGE_MAX_LIFETIME' | 'KEY_PACKAGE_MAX_AGE' | 'APP_DATA_UPDATES'>,
  link: FederationLink,
  x509: X509Credentials,
): Membership {
  return config.CONFORMANCE === 'on' ? new UncheckedMembership() : new DirectoryMembership(pool, config, link, x509)
}
