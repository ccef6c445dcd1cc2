import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { spellingOf } from '../../protocol/identity/certificates.js'
import { activeCertificates, signerAt, type DeviceList } from '../../protocol/identity/device-list.js'
import { DeviceListChanged, InvalidDeviceList, LoginRefused, RegistrationRefused } from '../authentication.problems.js'
import { findEnabledAccount } from '../accounts/accounts.repository.js'
import { Challenges } from '../challenges/challenges.js'
import { consumeChallenge } from '../challenges/challenges.repository.js'
import { DeviceListChanges, type PreparedChange } from './device-list-changes.js'
import type { DeviceListPage, DeviceListUpdate, ListRecovery } from './device-list.dto.js'
import { DeviceLists } from './device-lists.js'
import { secondsNow } from '../../platform/timing.js'

/**
 * What holders of keys do that are no device and so have no session: recovery keys, passkeys, and the identity key. A caller that has none of them gets
 * one and the same answer, whether there is such a user or not.
 */
@Injectable()
export class ListRecoveries {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly challenges: Challenges,
    private readonly lists: DeviceLists,
    private readonly changes: DeviceListChanges,
  ) {}

  /** @throws LoginRefused */
  async list({ client, nonce, public_key: publicKey, proof }: ListRecovery): Promise<DeviceListPage> {
    const [key] = (await this.challenges.proven({ purpose: 'login', client, nonce }, [{ publicKey, proof }])) ?? []
    // Nothing is read of a list for somebody who holds no key at all.
    if (key === undefined) throw new LoginRefused()
    const user = userOf(client)
    const accountId = await findEnabledAccount(this.pool, user)
    const known = accountId === undefined ? undefined : await this.changes.current(user, accountId)
    if (known === undefined || !isHolder(known.list, spellingOf(key))) throw new LoginRefused()
    const spent = await transaction(this.pool, (sql) => consumeChallenge(sql, nonce, client))
    if (!spent) throw new LoginRefused()
    return this.lists.read({ user, from: 1 })
  }

  /**
   * The certificate of a new device for an account that exists, by a key that is of no device.
   * @throws RegistrationRefused for all that can be wrong, RateLimited
   */
  async prepare(user: string, update: DeviceListUpdate): Promise<{ accountId: bigint; change: PreparedChange }> {
    const accountId = await findEnabledAccount(this.pool, user)
    if (accountId === undefined || update.entries.length !== 1) throw new RegistrationRefused()
    const change = await this.changes.prepare(user, accountId, update).catch((error: unknown) => {
      throw error instanceof InvalidDeviceList || error instanceof DeviceListChanged ? new RegistrationRefused() : error
    })
    if (change.before === undefined || !isByNoDevice(change.before, change.after)) throw new RegistrationRefused()
    await this.changes.take(user)
    return { accountId, change }
  }
}

function userOf(client: string): string {
  const parsed = parseClientUri(client)
  if (parsed === undefined) throw new LoginRefused()
  return userUri(parsed)
}

function isHolder(list: DeviceList, spelling: string | undefined): boolean {
  const holders = activeCertificates(list).filter(({ kind }) => kind !== 'device')
  const signers = [1, ...holders.map(({ number }) => number)].map((number) => signerAt(list, number, secondsNow()))
  return spelling !== undefined && signers.some((signer) => signer !== undefined && spellingOf(signer.key) === spelling)
}

/** Whether the last entry is a certificate that no device signed: devices have a session for that. */
function isByNoDevice(before: DeviceList, after: DeviceList): boolean {
  const signer = after.certificates.get(after.hashes.length)?.signer
  return signer === 1 || (signer !== undefined && before.certificates.get(signer)?.kind !== 'device')
}
