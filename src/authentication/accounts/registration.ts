import { Injectable } from '@nestjs/common'
import { z } from 'zod'
import { InvalidRequest } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { accountRegistered } from '../authentication.events.js'
import type { PreparedChange } from '../device-list/device-list-changes.js'
import { DeviceListUpdate } from '../device-list/device-list.dto.js'
import { endIdentity, readListState } from '../device-list/device-lists.repository.js'
import { DeviceEnrolment, type EnrolledDevice } from '../devices/device-enrolment.js'
import { markRevoked } from '../devices/devices.repository.js'
import { Revocations } from '../devices/revocations.js'
import type { Session } from '../session/sessions.dto.js'
import { SessionIssuer, type BegunSession } from '../session/session-issuer.js'
import { Nonce, NewSignatureKeys } from '../challenges/challenges.dto.js'
import { ClientUri, UserUri } from '../identifiers.dto.js'
import { Admissions, type Admission } from './admissions.js'

export const RegisterAccount = z
  .strictObject({
    user: UserUri,
    client: ClientUri,
    nonce: Nonce,
    signature_keys: NewSignatureKeys,
    invite_code: z.string().max(64).optional().meta({ description: 'From the operator, where registration needs one' }),
    device_list: DeviceListUpdate.optional().meta({
      description:
        'Begins the user’s identity: entry 1, the certificate of this device with all of its keys, and possibly a recovery key and a passkey: 4 at most',
    }),
  })
  .meta({ id: 'RegisterAccount' })
export type RegisterAccount = z.infer<typeof RegisterAccount>

/** A new account with its first device; or the first device of an account that the operator made. */
@Injectable()
export class Registration {
  constructor(
    private readonly admissions: Admissions,
    private readonly enrolment: DeviceEnrolment,
    private readonly revocations: Revocations,
    private readonly issuer: SessionIssuer,
    private readonly events: Events,
  ) {}

  /** @param key thumbprint of the key that the session is bound to */
  async register(body: RegisterAccount, key: string | undefined): Promise<Session> {
    this.admissions.requireOwnNames(body)
    this.admissions.requireOpen(body)
    requireFirstEntries(body)
    const proven = await this.enrolment.prove('registration', body)
    let registered: { session: BegunSession; by: Admission['by']; enrolled: EnrolledDevice } | undefined
    await this.revocations.revoke(async (sql) => {
      await this.enrolment.consume(sql, body)
      const { accountId, by } = await this.admissions.admit(sql, body)
      const former = by === 'operator' ? await endFormer(sql, accountId, proven.change) : undefined
      const enrolled = await this.enrolment.enrol(sql, accountId, proven, former?.state)
      const device = { deviceId: enrolled.deviceId, userId: accountId, client: body.client, generation: 0, key }
      registered = { session: await this.issuer.begin(sql, device), by, enrolled }
      return former?.revoked ?? []
    })
    if (registered === undefined) throw new Error('A registration was committed without a session')
    accountRegistered(this.events, registered.by)
    this.enrolment.announce(registered.enrolled, proven)
    return this.issuer.issue(registered.session)
  }
}

/** So that nobody who has no account yet makes the server verify more than a beginning. */
const MAX_FIRST_ENTRIES = 4

function requireFirstEntries({ device_list: list }: RegisterAccount): void {
  if (list !== undefined && list.entries.length > MAX_FIRST_ENTRIES)
    throw new InvalidRequest(`A device list begins with ${MAX_FIRST_ENTRIES} entries at most: append others by POST /v1/device-list.`)
}

/**
 * An operator's code opens an account, and no more: who has it has no key of the user. So it begins another identity, which all contacts see,
 * and the devices of the former one end. Without identities the account keeps its devices.
 */
async function endFormer(sql: Sql, accountId: bigint, identity: PreparedChange | undefined) {
  if (identity === undefined) return undefined
  const state = await readListState(sql, accountId)
  await endIdentity(sql, accountId)
  return { state, revoked: await markRevoked(sql, accountId, undefined) }
}
