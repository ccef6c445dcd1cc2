import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { Forbidden } from '../../platform/http/problem.js'
import { PRISMA, type Prisma } from '../../platform/postgres/prisma.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { DeviceListRequired } from '../identity.problems.js'
import { readListState } from '../device-list/device-lists.repository.js'
import { describeDevice, WITH_KEYS, type RecordedDevice } from '../directory/directory.js'
import type { Caller } from '../session/caller.js'
import type { PresentedProof } from '../step-up/step-up-header.js'
import { StepUp, type ProvenStepUp } from '../step-up/step-up.js'
import { DeviceEnrolment } from './device-enrolment.js'
import type { AddDevice, OwnDevice } from './devices.dto.js'
import { holdAccount } from './hold-account.js'

/** The devices of one account, as one of them sees and changes them. */
@Injectable()
export class Devices {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(PRISMA) private readonly prisma: Prisma,
    private readonly enrolment: DeviceEnrolment,
    private readonly stepUp: StepUp,
  ) {}

  /**
   * The new device has made its keys and signed the challenge; an existing one vouches for it by sending this, with the entry that certifies it,
   * or, where the account has no device list, with a proof of its own.
   */
  async add(caller: Caller, body: AddDevice, proof: PresentedProof | undefined): Promise<OwnDevice> {
    const client = parseClientUri(body.client)
    if (client === undefined || userUri(client) !== caller.user)
      throw new Forbidden('A device is added to the account of the device that adds it.')
    const permitted = body.device_list === undefined ? await this.permit(caller, body.client, proof) : undefined
    const proven = await this.enrolment.prove('new-device', body, caller)
    const enrolled = await transaction(this.pool, async (sql) => {
      await this.enrolment.consume(sql, body)
      await (permitted === undefined ? holdAccount(sql, caller) : this.stepUp.spend(sql, caller, permitted))
      return this.enrolment.enrol(sql, caller.userId, proven)
    })
    this.enrolment.announce(enrolled, proven)
    return ownDevice(await this.prisma.device.findUniqueOrThrow({ where: { id: enrolled.deviceId }, include: WITH_KEYS }), caller)
  }

  private async permit(caller: Caller, client: string, proof: PresentedProof | undefined): Promise<ProvenStepUp> {
    if ((await readListState(this.pool, caller.userId)) !== undefined) throw new DeviceListRequired()
    return this.stepUp.prove(caller, 'add-device', client, proof)
  }

  /** All of the account, revoked ones included. */
  async list(caller: Caller): Promise<{ devices: OwnDevice[] }> {
    const devices = await this.prisma.device.findMany({ where: { accountId: caller.userId }, include: WITH_KEYS, orderBy: { id: 'asc' } })
    return { devices: devices.map((device) => ownDevice(device, caller)) }
  }
}

function ownDevice(device: RecordedDevice, caller: Caller): OwnDevice {
  const described = describeDevice(device)
  const signatureKeys = described.signature_keys.flatMap((key, index) => {
    const id = device.signatureKeys[index]?.id
    return id === undefined ? [] : [{ ...key, id }]
  })
  return { ...described, signature_keys: signatureKeys, current: device.clientUri === caller.client }
}
