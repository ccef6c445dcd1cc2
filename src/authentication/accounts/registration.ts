import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { z } from 'zod'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { accountRegistered, deviceRegistered } from '../authentication.events.js'
import { NameTaken, RegistrationRefused, WrongDomain } from '../authentication.problems.js'
import { DeviceEnrolment } from '../devices/device-enrolment.js'
import type { Session } from '../session/sessions.dto.js'
import { SessionIssuer } from '../session/session-issuer.js'
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
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'REGISTRATION'>,
    private readonly enrolment: DeviceEnrolment,
    private readonly issuer: SessionIssuer,
    private readonly names: ErasedNames,
    private readonly events: Events,
  ) {}

  async register(body: RegisterAccount): Promise<Session> {
    const client = parseClientUri(body.client)
    if (client?.domain !== this.config.DOMAIN) throw new WrongDomain(this.config.DOMAIN)
    if (userUri(client) !== body.user) throw new InvalidRequest('The client URI is not one of this user.')
    const proven = await this.enrolment.prove(body)
    const { session, by } = await transaction(this.pool, async (sql) => {
      await this.enrolment.consume(sql, body)
      const admission = await this.admit(sql, body)
      const deviceId = await this.enrolment.enrol(sql, admission.accountId, proven)
      const device = { deviceId, userId: admission.accountId, client: body.client, generation: 0 }
      return { session: await this.issuer.begin(sql, device), by: admission.by }
    })
    accountRegistered(this.events, by)
    deviceRegistered(this.events, body.signature_keys.length)
    return this.issuer.issue(session)
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
