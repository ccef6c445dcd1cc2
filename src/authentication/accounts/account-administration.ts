import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { PRISMA, type Prisma } from '../../platform/postgres/prisma.js'
import { USER_NAME, userUri } from '../../protocol/identifiers.js'
import { AuthenticationEvents } from '../authentication.events.js'
import { Revocations } from '../devices/revocations.js'
import { disableAccount, insertAccount } from './accounts.repository.js'
import { hashOfCode, newInviteCode } from './invite-code.js'
import { insertInvite } from './invites.repository.js'

export interface IssuedCode {
  readonly code: string
  readonly expiresAt: Date
}

/** What an operator does from the command line. Codes are shown once and stored as hashes. */
@Injectable()
export class AccountAdministration {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(PRISMA) private readonly prisma: Prisma,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly revocations: Revocations,
    private readonly events: AuthenticationEvents,
  ) {}

  /** An account without devices, and the code that its first device registers with. Undefined if the name is taken. */
  async create(user: string, lifetimeMs: number): Promise<IssuedCode | undefined> {
    const uri = this.uriOf(user)
    const code = newInviteCode()
    return transaction(this.pool, async (sql) => {
      const accountId = await insertAccount(sql, uri)
      if (accountId === undefined) return undefined
      return { code, expiresAt: await insertInvite(sql, { codeHash: hashOfCode(code), accountId, uses: 1, lifetimeMs }) }
    })
  }

  /** A code for `uses` new accounts; or with `user`, for one more device of an account that has lost all of its own. */
  async invite(options: { uses: number; lifetimeMs: number; user?: string | undefined }): Promise<IssuedCode | undefined> {
    const code = newInviteCode()
    const account = options.user === undefined
      ? undefined
      : await this.prisma.account.findFirst({ where: { userUri: this.uriOf(options.user), disabledAt: null }, select: { id: true } })
    if (account === null) return undefined
    const uses = account === undefined ? options.uses : 1
    const invite = { codeHash: hashOfCode(code), accountId: account?.id, uses, lifetimeMs: options.lifetimeMs }
    return { code, expiresAt: await insertInvite(this.pool, invite) }
  }

  /** @returns false if there is no such enabled account */
  async disable(user: string): Promise<boolean> {
    const devices = await this.revocations.revoke((sql) => disableAccount(sql, this.uriOf(user)))
    if (devices !== undefined) this.events.accountDisabled({ devices: devices.length })
    return devices !== undefined
  }

  private uriOf(user: string): string {
    if (!USER_NAME.test(user)) throw new RangeError('A user name is a-z, 0-9, ".", "_" and "-", at most 64, and starts with a letter or digit.')
    return userUri({ domain: this.config.DOMAIN, user })
  }
}
