import { addedDeviceSubject } from '../../protocol/identity/step-up.js'
import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { DeviceListRequired } from '../authentication.problems.js'
import { CertifiedChanges, requireUncertified } from '../device-list/certified-changes.js'
import type { PreparedChange } from '../device-list/device-list-changes.js'
import type { DeviceListUpdate } from '../device-list/device-list.dto.js'
import { readListState } from '../device-list/device-lists.repository.js'
import type { Caller } from '../session/caller.js'
import type { PresentedProof } from '../step-up/step-up-header.js'
import { StepUp, type ProvenStepUp } from '../step-up/step-up.js'
import type { AddDevice } from './devices.dto.js'
import { findDevice } from './devices.repository.js'
import { holdAccount } from './hold-account.js'

/** What permits a change of devices or keys beside the session: a signed entry, or, where the user has none, a fresh proof by a key. */
export interface Permission {
  readonly change: PreparedChange | undefined
  readonly stepUp: ProvenStepUp | undefined
}

/**
 * Where the user's own keys say which devices and keys there are, nothing but what they sign changes any (docs/identity.md §8).
 * That is looked at before, to say what is needed, and again under the account's lock.
 */
@Injectable()
export class Permissions {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly certified: CertifiedChanges,
    private readonly stepUp: StepUp,
  ) {}

  /** @throws DeviceListRequired, StepUpRequired, and what `CertifiedChanges.prepareFor` throws; so do the others */
  async toAdd(caller: Caller, body: AddDevice, proof: PresentedProof | undefined): Promise<Permission> {
    const { client, signature_keys: keys, device_list: update } = body
    if (update !== undefined) return this.byList(caller, update)
    if ((await readListState(this.pool, caller.userId)) !== undefined) throw new DeviceListRequired()
    const subject = addedDeviceSubject(
      client,
      keys.map(({ scheme, public_key: publicKey }) => ({ scheme, publicKey })),
    )
    return { change: undefined, stepUp: await this.stepUp.prove(caller, 'add-device', subject, proof) }
  }

  async toAddKey(
    caller: Caller,
    publicKey: Uint8Array,
    update: DeviceListUpdate | undefined,
    proof: PresentedProof | undefined,
  ): Promise<Permission> {
    if (update !== undefined) return this.byList(caller, update)
    await requireUncertified(this.pool, caller.deviceId)
    return { change: undefined, stepUp: await this.stepUp.prove(caller, 'add-key', publicKey, proof) }
  }

  async toRetireKey(caller: Caller, publicKey: Uint8Array, proof: PresentedProof | undefined): Promise<Permission> {
    await requireUncertified(this.pool, caller.deviceId)
    return { change: undefined, stepUp: await this.stepUp.prove(caller, 'retire-key', publicKey, proof) }
  }

  /** @param target its client URI */
  async toRevoke(caller: Caller, target: string, proof: PresentedProof | undefined): Promise<Permission> {
    const device = await findDevice(this.pool, caller.userId, target)
    if (device !== undefined) await requireUncertified(this.pool, device.id)
    return { change: undefined, stepUp: await this.stepUp.prove(caller, 'revoke-device', target, proof) }
  }

  /** To be called first in the transaction, after what was consumed: it takes the account's lock. */
  async begin(sql: Sql, caller: Caller, { stepUp }: Permission): Promise<void> {
    if (stepUp === undefined) await holdAccount(sql, caller)
    else await this.stepUp.spend(sql, caller, stepUp)
  }

  /** Certifies the keys of the caller's device, after a new one was inserted. @returns devices that have an item in their inboxes */
  async certify(sql: Sql, { userId, deviceId }: Caller, { change }: Permission): Promise<readonly bigint[]> {
    if (change !== undefined) return this.certified.writeDevice(sql, userId, change, { whole: deviceId })
    await requireUncertified(sql, deviceId)
    return []
  }

  private async byList(caller: Caller, update: DeviceListUpdate): Promise<Permission> {
    return { change: await this.certified.prepareFor(caller, update), stepUp: undefined }
  }
}
