import { Injectable } from '@nestjs/common'
import { NotFound } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { clientUri, parseClientUri } from '../../protocol/identifiers.js'
import { deviceRevoked } from '../authentication.events.js'
import { LastDevice } from '../authentication.problems.js'
import { requireUncertified } from '../device-list/certified-changes.js'
import type { Caller } from '../session/caller.js'
import type { PresentedProof } from '../step-up/step-up-header.js'
import { Permissions } from './permissions.js'
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
    private readonly permissions: Permissions,
    private readonly revocations: Revocations,
    private readonly events: Events,
  ) {}

  /**
   * Repeating it changes nothing. A device may revoke itself: then its session ends with the answer.
   * @param device the last part of its client URI
   * @throws StepUpRequired @throws LastDevice @throws DeviceListRequired if an entry of the list has to do it
   */
  async revoke(caller: Caller, device: string, { confirm, proof }: Permission): Promise<void> {
    const own = parseClientUri(caller.client)
    if (own === undefined) throw new NotFound()
    const target = clientUri({ ...own, device })
    const permission = await this.permissions.toRevoke(caller, target, proof)
    const { revoked } = await this.revocations.revoke(async (sql) => {
      await this.permissions.begin(sql, caller, permission)
      const found = await findDevice(sql, caller.userId, target)
      if (found === undefined) throw new NotFound('The account has no device with this name.')
      if (!found.active) return { revoked: [] }
      await requireUncertified(sql, found.id)
      if (confirm === undefined && (await countActiveDevices(sql, caller.userId)) === 1) throw new LastDevice()
      return { revoked: await markRevoked(sql, caller.userId, [found.id]) }
    })
    if (revoked.length > 0) deviceRevoked(this.events, { self: target === caller.client })
  }
}
