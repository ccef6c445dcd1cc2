import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { NameTaken } from '../authentication.problems.js'
import { findErasedName, inheritName } from './deletion.repository.js'

const PURPOSE = 'erased account name v1'

/**
 * Names of accounts that were erased. In place of the name there is a keyed hash of it, which only this deployment can compute: enough to
 * know the name again when somebody registers it.
 */
@Injectable()
export class ErasedNames {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'NAME_QUARANTINE'>,
    private readonly secrets: Secrets,
  ) {}

  /** What stands for a user URI. No user URI begins like it. */
  standIn(user: string): string {
    return `erased:${Buffer.from(this.secrets.mac(PURPOSE, Buffer.from(user, 'utf8'))).toString('base64url')}`
  }

  /**
   * For an account of this provider that was inserted just now, in the same transaction: the statement before has waited for an erasure of
   * the name that was under way.
   * @throws NameTaken while the name is in quarantine, or a provider that knows its former user has not confirmed to have erased it
   */
  async claim(sql: Sql, accountId: bigint, user: string): Promise<void> {
    const erased = await findErasedName(sql, this.standIn(user), this.config.NAME_QUARANTINE)
    if (erased === undefined) return
    if (erased.quarantinedUntil.getTime() > Date.now() || erased.unconfirmed > 0n) throw new NameTaken()
    await inheritName(sql, erased.accountId, accountId)
  }

  /** The same for a user of another provider, which has its own quarantine. */
  async claimElsewhere(sql: Sql, accountId: bigint, user: string): Promise<void> {
    const erased = await findErasedName(sql, this.standIn(user), 0)
    if (erased !== undefined) await inheritName(sql, erased.accountId, accountId)
  }
}
