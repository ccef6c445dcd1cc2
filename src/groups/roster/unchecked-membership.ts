import type { Welcome } from '../../protocol/mls/structures/welcome.js'
import type { Bundle } from '../input/bundle.js'
import type { DeviceChanges, Membership } from './membership.js'

/**
 * For the official test vectors (CONFORMANCE=on): their members are no devices of the directory, their KeyPackages have expired, and
 * their Commits come without Welcomes. Everything that RFC 9420 says of leaves holds nevertheless. No device comes or goes, so
 * whoever created the group reads and submits on.
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

  async changesOf(): Promise<DeviceChanges> {
    return { added: [], removed: [], welcomes: [] }
  }
}
