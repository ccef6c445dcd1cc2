import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { Forbidden } from '../../platform/http/problem.js'
import { PRISMA, type Prisma } from '../../platform/postgres/prisma.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { describeDevice, WITH_KEYS, type RecordedDevice } from '../directory/directory.js'
import type { Caller } from '../session/caller.js'
import type { PresentedProof } from '../step-up/step-up-header.js'
import { Permissions } from './permissions.js'
import { DeviceEnrolment } from './device-enrolment.js'
import type { AddDevice, OwnDevice } from './devices.dto.js'

/** The devices of one account, as one of them sees and changes them. */
@Injectable()
export class Devices {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(PRISMA) private readonly prisma: Prisma,
    private readonly enrolment: DeviceEnrolment,
    private readonly permissions: Permissions,
  ) {}

  /** The new device has made its keys and signed the challenge; an existing one vouches for it by sending this, with a proof of its own. */
  async add(caller: Caller, body: AddDevice, proof: PresentedProof | undefined): Promise<OwnDevice> {
    const client = parseClientUri(body.client)
    if (client === undefined || userUri(client) !== caller.user)
      throw new Forbidden('A device is added to the account of the device that adds it.')
    const proven = await this.enrolment.prove('new-device', body)
    const permission = await this.permissions.toAdd(caller, body, proof)
    const enrolled = await transaction(this.pool, async (sql) => {
      await this.enrolment.consume(sql, body)
      await this.permissions.begin(sql, caller, permission)
      return this.enrolment.enrol(sql, caller.userId, { ...proven, change: permission.change })
    })
    this.enrolment.announce(enrolled, proven)
    return ownDevice(await this.prisma.device.findUniqueOrThrow({ where: { id: enrolled.deviceId }, include: WITH_KEYS }), caller)
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
