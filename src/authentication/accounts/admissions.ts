import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { parseClientUri, userUri } from '../../protocol/identifiers.js'
import { NameTaken, RegistrationRefused, WrongDomain } from '../authentication.problems.js'
import { insertAccount } from './accounts.repository.js'
import { hashOfCode } from './administration.js'
import { ErasedNames } from './erased-names.js'
import { lockInvitedAccount, useInvite } from './invites.repository.js'

export interface Admission {
  readonly accountId: bigint
  readonly by: 'anyone' | 'invite' | 'operator'
}

interface Applicant {
  readonly user: string
  readonly client: string
  readonly invite_code?: string | undefined
}

/** Who may register, and under which names. */
@Injectable()
export class Admissions {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'REGISTRATION'>,
    private readonly names: ErasedNames,
  ) {}

  /** @throws WrongDomain, InvalidRequest */
  requireOwnNames({ user, client: uri }: Applicant): void {
    const client = parseClientUri(uri)
    if (client?.domain !== this.config.DOMAIN) throw new WrongDomain(this.config.DOMAIN)
    if (userUri(client) !== user) throw new InvalidRequest('The client URI is not one of this user.')
  }

  /** Before anything of a request is verified. @throws RegistrationRefused for who cannot register whatever it shows */
  requireOpen({ invite_code: code }: Applicant): void {
    if (this.config.REGISTRATION !== 'open' && code === undefined) throw new RegistrationRefused()
  }

  /** The code is looked at before the name, so that only who may register learns which names are taken. */
  async admit(sql: Sql, { user, invite_code: code }: Applicant): Promise<Admission> {
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
