import { randomBytes } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { deleteAccount, mayEndAccount, type Deleted } from '../../authentication/accounts/deletion.repository.js'
import { accountDeleted } from '../../authentication/authentication.events.js'
import type { Caller } from '../../authentication/session/caller.js'
import { StepUp } from '../../authentication/step-up/step-up.js'
import type { PresentedProof } from '../../authentication/step-up/step-up-header.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Forbidden } from '../../platform/http/problem.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import type { AccountDeletion } from './deletion.dto.js'

/** 256 bits: providers get it with the user's name, and later prove by it alone what they did. */
const ERASURE_ID_BYTES = 32

/** The end of an account, by its user. What it can do ends in one transaction; what is kept of it goes by a job (`Erasures`). */
@Injectable()
export class AccountDeletions {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly stepUp: StepUp,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  /** @throws StepUpRequired; Forbidden; DeviceRevoked if the account ended meanwhile */
  async delete(caller: Caller, presented: PresentedProof | undefined): Promise<AccountDeletion> {
    const proof = await this.stepUp.prove(caller, 'delete-account', caller.user, presented)
    const erasureId = randomBytes(ERASURE_ID_BYTES)
    const deleted = await transaction(this.pool, async (sql): Promise<Deleted | undefined> => {
      await this.stepUp.spend(sql, caller, proof)
      if (!(await mayEndAccount(sql, caller)))
        throw new Forbidden('Of the devices with the right to revoke others, only the oldest ends the account.')
      return deleteAccount(sql, { domain: this.config.DOMAIN, accountId: caller.userId, erasureId })
    })
    this.hints.publish((deleted?.devices ?? []).map((deviceId) => ({ kind: 'revoked', deviceId })))
    accountDeleted(this.events)
    return { erasure_id: erasureId, providers: deleted?.peers ?? [] }
  }
}
