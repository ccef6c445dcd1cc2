import { Inject, Injectable } from '@nestjs/common'
import { z } from 'zod'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { accountRegistered } from '../authentication.events.js'
import { NameTaken, RegistrationRefused, WrongDomain } from '../authentication.problems.js'
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
import { insertAccount } from './accounts.repository.js'
import { hashOfCode } from './administration.js'
import { ErasedNames } from './erased-names.js'
import { lockInvitedAccount, useInvite } from './invites.repository.js'

export const RegisterAccount = z
  .strictObject({
    user: UserUri,
    client: ClientUri,
    nonce: Nonce,
    signature_keys: NewSignatureKeys,
    invite_code: z.string().max(64).optional().meta({ description: 'From the operator, where registration needs one' }),
    device_list: DeviceListUpdate.optional().meta({
      description: 'Begins the user’s identity: entry 1, the certificate of this device with all of its keys, and possibly a recovery key',
    }),
  })
  .meta({ id: 'RegisterAccount' })
export type RegisterAccount = z.infer<typeof RegisterAccount>

interface Admission {
  readonly accountId: bigint
  readonly by: 'anyone' | 'invite' | 'operator'
}

/** A new account with its first device; or the first device of an account that the operator made. */
@Injectable()
export class Registration {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'REGISTRATION'>,
    private readonly enrolment: DeviceEnrolment,
    private readonly revocations: Revocations,
    private readonly issuer: SessionIssuer,
    private readonly names: ErasedNames,
    private readonly events: Events,
  ) {}

  /** @param key thumbprint of the key that the session is bound to */
  async register(body: RegisterAccount, key: string | undefined): Promise<Session> {
    const client = parseClientUri(body.client)
    if (client?.domain !== this.config.DOMAIN) throw new WrongDomain(this.config.DOMAIN)
    if (userUri(client) !== body.user) throw new InvalidRequest('The client URI is not one of this user.')
    const proven = await this.enrolment.prove('registration', body)
    let registered: { session: BegunSession; by: Admission['by']; enrolled: EnrolledDevice } | undefined
    await this.revocations.revoke(async (sql) => {
      await this.enrolment.consume(sql, body)
      const { accountId, by } = await this.admit(sql, body)
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

  /** The code is looked at before the name, so that only who may register learns which names are taken. */
  private async admit(sql: Sql, { user, invite_code: code }: RegisterAccount): Promise<Admission> {
    const invite = code === undefined ? undefined : await useInvite(sql, hashOfCode(code))
    if (code !== undefined && invite === undefined) throw new RegistrationRefused()
    if (invite !== undefined && invite.accountId !== null) {
      if (!(await lockInvitedAccount(sql, invite.accountId, user))) throw new RegistrationRefused()
      return { accountId: invite.accountId, by: 'operator' }
    }
    const admitted = this.config.REGISTRATION === 'open' || (this.config.REGISTRATION === 'invite' && invite !== undefined)
    if (!admitted) throw new RegistrationRefused()
    const accountId = await insertAccount(sql, user)
    if (accountId === undefined) throw new NameTaken()
    await this.names.claim(sql, accountId, user)
    return { accountId, by: invite === undefined ? 'anyone' : 'invite' }
  }
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
