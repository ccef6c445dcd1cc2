import { Controller, Get, Inject } from '@nestjs/common'
import { ApiOperation, ApiTags } from '@nestjs/swagger'
import type { Pool } from 'pg'
import { DeviceRevoked } from '../authentication/authentication.problems.js'
import { CurrentDevice, type Caller } from '../authentication/session/caller.js'
import { Returns } from '../platform/http/returns.js'
import { Limits } from '../platform/limits/limits.js'
import { POOL } from '../platform/postgres/sql.js'
import { ACCOUNT_RATES, accountLimit } from './accounts.limits.js'
import { Me } from './me.dto.js'
import { countOfAccount, newestDevices, readAccount } from './me.repository.js'

const MOST_DEVICES = 1_000
const MOST_COUNTED = 10_000

/** The account of who asks, as a whole. */
@ApiTags('accounts')
@Controller('v1/me')
export class MeController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly limits: Limits,
  ) {}

  @Get()
  @Returns(Me, { description: 'The account.' })
  @ApiOperation({
    operationId: 'getMe',
    summary: 'The account of this device',
    description: 'Its user, devices and choices, and how much the server keeps for it. Everything in full: exportAccount.',
  })
  async read(@CurrentDevice() caller: Caller): Promise<Me> {
    await this.limits.take(accountLimit(ACCOUNT_RATES.reads), caller.user)
    const account = await readAccount(this.pool, caller.userId)
    if (account === undefined) throw new DeviceRevoked()
    const devices = await newestDevices(this.pool, caller.userId, MOST_DEVICES)
    const { keyPackages, ...counts } = await countOfAccount(this.pool, caller.userId, caller.user, MOST_COUNTED)
    return {
      user: caller.user,
      created_at: account.createdAt,
      devices: devices.map(({ id, client, since, revokedAt }) => {
        return { client, since, ...(revokedAt && { revoked_at: revokedAt }), current: id === caller.deviceId }
      }),
      settings: { searchable: account.searchable, invitations: account.asked ? 'ask' : 'open' },
      counts: { ...counts, key_packages: keyPackages },
    }
  }
}
