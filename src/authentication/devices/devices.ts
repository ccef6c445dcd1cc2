import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { Forbidden, NotFound } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { PRISMA, type Prisma } from '../../platform/postgres/prisma.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { clientUri, parseClientUri, userUri } from '../../protocol/identifiers.js'
import { deviceRegistered, deviceRevoked } from '../authentication.events.js'
import { describeDevice, WITH_KEYS, type RecordedDevice } from '../directory/directory.js'
import type { Caller } from '../session/caller.js'
import { LastDevice } from '../authentication.problems.js'
import { requireUncertified } from '../device-list/certified-changes.js'
import { DeviceEnrolment } from './device-enrolment.js'
import type { AddDevice, OwnDevice } from './devices.dto.js'
import { countActiveDevices, findDevice, markRevoked } from './devices.repository.js'
import { holdAccount } from './hold-account.js'
import { Revocations } from './revocations.js'

/** The devices of one account, as one of them sees and changes them. */
@Injectable()
export class Devices {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(PRISMA) private readonly prisma: Prisma,
    private readonly enrolment: DeviceEnrolment,
    private readonly revocations: Revocations,
    private readonly events: Events,
  ) {}

  /** The new device has made its keys and signed the challenge; an existing one vouches for it by sending this. */
  async add(caller: Caller, body: AddDevice): Promise<OwnDevice> {
    const client = parseClientUri(body.client)
    if (client === undefined || userUri(client) !== caller.user)
      throw new Forbidden('A device is added to the account of the device that adds it.')
    const proven = await this.enrolment.prove(body, caller)
    const deviceId = await transaction(this.pool, async (sql) => {
      await this.enrolment.consume(sql, body)
      await holdAccount(sql, caller)
      return this.enrolment.enrol(sql, caller.userId, proven)
    })
    deviceRegistered(this.events, proven.keys.length)
    return ownDevice(await this.prisma.device.findUniqueOrThrow({ where: { id: deviceId }, include: WITH_KEYS }), caller)
  }

  /** All of the account, revoked ones included. */
  async list(caller: Caller): Promise<{ devices: OwnDevice[] }> {
    const devices = await this.prisma.device.findMany({ where: { accountId: caller.userId }, include: WITH_KEYS, orderBy: { id: 'asc' } })
    return { devices: devices.map((device) => ownDevice(device, caller)) }
  }

  /**
   * Repeating it changes nothing. A device may revoke itself: then its session ends with the answer.
   * @param confirm that the last one is meant
   * @throws LastDevice
   */
  async revoke(caller: Caller, device: string, confirm: 'last-device' | undefined): Promise<void> {
    const own = parseClientUri(caller.client)
    if (own === undefined) throw new NotFound()
    const target = clientUri({ ...own, device })
    const revoked = await this.revocations.revoke(async (sql) => {
      await holdAccount(sql, caller)
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

function ownDevice(device: RecordedDevice, caller: Caller): OwnDevice {
  const described = describeDevice(device)
  const signatureKeys = described.signature_keys.flatMap((key, index) => {
    const id = device.signatureKeys[index]?.id
    return id === undefined ? [] : [{ ...key, id }]
  })
  return { ...described, signature_keys: signatureKeys, current: device.clientUri === caller.client }
}
