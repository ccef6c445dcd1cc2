import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { InvalidRequest } from '../../platform/http/problem.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { decodeEntry } from '../../protocol/identity/entry.js'
import { RegistrationRefused } from '../authentication.problems.js'
import type { NewSignatureKey } from '../challenges/challenges.dto.js'
import type { DeviceListUpdate } from '../device-list/device-list.dto.js'
import { ListRecoveries } from '../device-list/list-recoveries.js'
import { DeviceEnrolment } from '../devices/device-enrolment.js'
import { SessionIssuer } from '../session/session-issuer.js'
import type { Session } from '../session/sessions.dto.js'
import { lockAccount } from './accounts.repository.js'

interface RecoveredDevice {
  readonly user: string
  readonly client: string
  readonly nonce: Uint8Array
  readonly signature_keys: readonly NewSignatureKey[]
}

/** A user who has lost all devices registers a new one, by a recovery key or another key in the device list that is of no device. */
@Injectable()
export class Recovery {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly enrolment: DeviceEnrolment,
    private readonly recoveries: ListRecoveries,
    private readonly issuer: SessionIssuer,
  ) {}

  /** @param key thumbprint of the key that the session is bound to @throws RegistrationRefused, and what `DeviceEnrolment` throws */
  async register(body: RecoveredDevice, update: DeviceListUpdate, key: string | undefined): Promise<Session> {
    const { client, nonce, signature_keys } = body
    const parsed = parseClientUri(client)
    if (parsed === undefined || userUri(parsed) !== body.user) throw new InvalidRequest('The client URI is not one of this user.')
    const proven = await this.enrolment.prove('registration', { client, nonce, signature_keys })
    const { accountId, change } = await this.recoveries.prepare(body.user, update)
    const { session, enrolled } = await transaction(this.pool, async (sql) => {
      await this.enrolment.consume(sql, body)
      if (!(await lockAccount(sql, accountId))) throw new RegistrationRefused()
      const enrolled = await this.enrolment.enrol(sql, accountId, { ...proven, change })
      const device = { deviceId: enrolled.deviceId, userId: accountId, client, generation: 0, key }
      return { session: await this.issuer.begin(sql, device), enrolled }
    })
    this.enrolment.announce(enrolled, proven)
    return this.issuer.issue(session)
  }
}

/** Whether entries follow a list that there is, instead of beginning one. */
export function continuesList({ entries }: DeviceListUpdate): boolean {
  const first = decodeEntry(entries[0] ?? new Uint8Array())
  return first.kind !== 'malformed' && first.value.number > 1
}
