import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { NotFound } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { PRISMA, type Prisma } from '../../platform/postgres/prisma.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { signatureKeyAdded, signatureKeyRetired } from '../authentication.events.js'
import { KeySucceeded, KeyTaken, LastKey, TooMany } from '../authentication.problems.js'
import { describeKey } from '../directory/directory.js'
import type { Caller } from '../session/caller.js'
import type { PresentedProof } from '../step-up/step-up-header.js'
import { Permissions } from './permissions.js'
import { DeviceEnrolment } from './device-enrolment.js'
import type { AddKey, OwnKey } from './devices.dto.js'
import {
  countValidKeys,
  findKey,
  insertSignatureKey,
  publicKeyOf,
  retireKey,
  setSuccessor,
  type NewKey,
} from './signature-keys.repository.js'

/** One per scheme, and some per group. */
const MAX_KEYS_PER_DEVICE = 64

/** The signature keys of a device, as itself changes them. */
@Injectable()
export class DeviceKeys {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(PRISMA) private readonly prisma: Prisma,
    private readonly enrolment: DeviceEnrolment,
    private readonly permissions: Permissions,
    private readonly events: Events,
  ) {}

  async add(
    caller: Caller,
    { nonce, succeeds, device_list: update, ...given }: AddKey,
    proof: PresentedProof | undefined,
  ): Promise<OwnKey> {
    const enrolment = { client: caller.client, nonce, signature_keys: [given] }
    const {
      keys: [key],
    } = await this.enrolment.prove('new-key', enrolment)
    if (key === undefined) throw new Error('One key was given and none proven')
    const permission = await this.permissions.toAddKey(caller, key.publicKey, update, proof)
    const { id, told } = await transaction(this.pool, async (sql) => {
      await this.enrolment.consume(sql, enrolment)
      await this.permissions.begin(sql, caller, permission)
      const inserted = await this.insert(sql, caller.deviceId, key, succeeds)
      return { id: inserted, told: await this.permissions.certify(sql, caller, permission) }
    })
    this.enrolment.tell(told)
    signatureKeyAdded(this.events, { scheme: key.scheme, succession: succeeds !== undefined })
    const row = await this.prisma.signatureKey.findUniqueOrThrow({ where: { id }, include: { successor: { select: { publicKey: true } } } })
    return { ...describeKey(row, undefined), id }
  }

  /** The directory keeps the key with the time it ended. Repeating it changes nothing. */
  async retire(caller: Caller, keyId: bigint, proof: PresentedProof | undefined): Promise<void> {
    const publicKey = await publicKeyOf(this.pool, caller.deviceId, keyId)
    if (publicKey === undefined) throw new NotFound('This device has no such key.')
    const permission = await this.permissions.toRetireKey(caller, publicKey, proof)
    const retired = await transaction(this.pool, async (sql) => {
      await this.permissions.begin(sql, caller, permission)
      await this.permissions.certify(sql, caller, permission)
      const key = await findKey(sql, caller.deviceId, keyId)
      if (key === undefined) throw new NotFound('This device has no such key.')
      if (!key.valid) return false
      if ((await countValidKeys(sql, caller.deviceId)) === 1) throw new LastKey()
      await retireKey(sql, keyId)
      return true
    })
    if (retired) signatureKeyRetired(this.events)
  }

  private async insert(sql: Sql, deviceId: bigint, key: NewKey, succeeds: bigint | undefined): Promise<bigint> {
    if ((await countValidKeys(sql, deviceId)) >= MAX_KEYS_PER_DEVICE) throw new TooMany('keys', MAX_KEYS_PER_DEVICE)
    const id = await insertSignatureKey(sql, deviceId, key)
    if (id === undefined) throw new KeyTaken()
    if (succeeds !== undefined && !(await setSuccessor(sql, deviceId, succeeds, id))) throw new KeySucceeded()
    return id
  }
}
