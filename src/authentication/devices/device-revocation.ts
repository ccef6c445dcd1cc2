import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { NotFound } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { clientUri, parseClientUri } from '../../protocol/identifiers.js'
import { deviceRevoked } from '../authentication.events.js'
import { LastDevice } from '../authentication.problems.js'
import { requireUncertified } from '../device-list/certified-changes.js'
import type { Caller } from '../session/caller.js'
import type { PresentedProof } from '../step-up/step-up-header.js'
import { StepUp } from '../step-up/step-up.js'
import { countActiveDevices, findDevice, markRevoked } from './devices.repository.js'
import { Revocations } from './revocations.js'

interface Permission {
  /** That the last one is meant. */
  readonly confirm: 'last-device' | undefined
  readonly proof: PresentedProof | undefined
}

/** A device takes another one of its account out of service, or itself. */
@Injectable()
export class DeviceRevocation {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly stepUp: StepUp,
    private readonly revocations: Revocations,
    private readonly events: Events,
  ) {}

  /**
   * Repeating it changes nothing. A device may revoke itself: then its session ends with the answer.
   * @param device the last part of its client URI
   * @throws StepUpRequired @throws LastDevice
   */
  async revoke(caller: Caller, device: string, { confirm, proof }: Permission): Promise<void> {
    const own = parseClientUri(caller.client)
    if (own === undefined) throw new NotFound()
    const target = clientUri({ ...own, device })
    const known = await findDevice(this.pool, caller.userId, target)
    if (known !== undefined) await requireUncertified(this.pool, known.id)
    const permitted = await this.stepUp.prove(caller, 'revoke-device', target, proof)
    const revoked = await this.revocations.revoke(async (sql) => {
      await this.stepUp.spend(sql, caller, permitted)
      const found = await findDevice(sql, caller.userId, target)
      if (found === undefined) throw new NotFound('The account has no device with this name.')
      if (!found.active) return []
      await requireUncertified(sql, found.id)
      if (confirm === undefined && (await countActiveDevices(sql, caller.userId)) === 1) throw new LastDevice()
      return markRevoked(sql, caller.userId, found.id)
    })
    if (revoked.length > 0) deviceRevoked(this.events, { self: target === caller.client })
  }
}
